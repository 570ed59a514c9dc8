"""Tests of the page for delegations."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from board_env import LEAD, PM, BoardEnv
from page_env import PageClient
from second_person import allow_waiting

from guardia.board.approvals import delegations
from guardia.org.delegation import principals

Browse = Callable[[str], PageClient]
PATH = "/delegations"
UNTIL = "2099-12-31T18:00"


def names(web_env: BoardEnv, account: str) -> set[str]:
    """Return the principals on whose behalf an account may decide now."""
    with web_env.board.database.reading() as session:
        return {p.id for p in principals(session, account, web_env.board.clock())}


@pytest.mark.slow
def test_a_lead_delegates_and_takes_it_back(sign_in_as: Browse, web_env: BoardEnv) -> None:
    browser = sign_in_as("lead")
    assert browser.submit_form(PATH, PATH, to="eng", until=UNTIL, absent="true").status_code == 303
    assert names(web_env, "eng") == {"lead"}
    html = browser.get_page(PATH).text
    assert "김철수 대리" in html and "위임 중" in html and "부재" in html
    received = sign_in_as("eng").get_page(PATH).text
    assert "정다은 팀장" in received and 'action="/delegations/end"' not in received
    number = re.search(r'name="number" value="(\d+)"', html)
    assert number
    assert sign_in_as("pm").submit_form(f"{PATH}/end", PATH, number=number[1]).status_code == 403
    assert browser.submit_form(f"{PATH}/end", PATH, number=number[1]).status_code == 303
    assert names(web_env, "eng") == set()
    assert browser.submit_form(f"{PATH}/end", PATH, number=number[1]).status_code == 404


@pytest.mark.slow
def test_times_are_in_the_companys_zone(sign_in_as: Browse, web_env: BoardEnv) -> None:
    browser = sign_in_as("lead")
    sent = browser.submit_form(PATH, PATH, to="eng", begins="2099-12-30T09:00", until=UNTIL)
    assert sent.status_code == 303
    html = browser.get_page(PATH).text
    assert "12-30 09:00" in html and "12-31 18:00" in html and "예정" in html
    assert names(web_env, "eng") == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    "fields",
    [
        {"to": "eng", "until": ""},
        {"to": "eng", "until": "내일"},
        {"to": "eng", "until": "2001-01-01T00:00"},
        {"to": "lead", "until": UNTIL},
        {"to": "cus", "until": UNTIL},
        {"to": "nobody", "until": UNTIL},
        {"to": "", "until": UNTIL},
        {"to": "eng", "until": UNTIL, "principal": "pm"},
    ],
)
def test_invalid_input_is_shown_on_the_page_and_changes_nothing(
    sign_in_as: Browse, web_env: BoardEnv, fields: dict[str, str]
) -> None:
    answer = sign_in_as("lead").submit_form(PATH, PATH, **fields)
    assert answer.status_code in (403, 404, 422)
    assert 'role="alert"' in answer.text and "새 위임" in answer.text
    assert delegations.overview(web_env.board, LEAD).given == ()


@pytest.mark.slow
def test_an_administrator_sets_and_ends_others_and_sees_all(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    browser = sign_in_as("admin")
    fields = {"to": "eng", "until": UNTIL, "principal": "pm"}
    assert browser.submit_form(PATH, PATH, **fields).status_code == 409
    assert names(web_env, "eng") == set(), "it waits for a second person"
    allow_waiting(web_env.board)
    assert browser.submit_form(PATH, PATH, **fields).status_code == 303
    assert names(web_env, "eng") == {"pm"}
    html = browser.get_page(PATH).text
    assert "다른 사람의 위임" in html and "최현우 PM" in html
    number = re.search(r'name="number" value="(\d+)"', html)
    assert number
    assert browser.submit_form(f"{PATH}/end", PATH, number=number[1]).status_code == 303
    assert names(web_env, "eng") == set()


@pytest.mark.slow
def test_who_has_nothing_to_delegate_sees_no_form_and_customers_nothing(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    ends = web_env.board.clock() + timedelta(days=1)
    delegations.delegate(web_env.board, PM, "eng", ends=ends)
    html = sign_in_as("eng").get_page(PATH).text
    assert "최현우 PM" in html and 'action="/delegations"' not in html
    assert (
        sign_in_as("eng").submit_form(PATH, "/issues/new", to="pm", until=UNTIL).status_code == 403
    )
    for account in ("cus", "audit"):
        assert sign_in_as(account).get_page(PATH).status_code == 403
        assert PATH not in sign_in_as(account).get_page("/issues").text
