from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from board_env import LEAD, PM, BoardEnv
from page_env import PageClient

from guardia.board.approvals import delegations
from guardia.org.delegation import principals

Browse = Callable[[str], PageClient]
PATH = "/delegations"
UNTIL = "2099-12-31T18:00"


def names(board: BoardEnv, account: str) -> set[str]:
    """In whose names somebody may decide now."""
    with board.desk.database.reading() as session:
        return {p.id for p in principals(session, account, board.desk.clock())}


def test_a_lead_delegates_and_takes_it_back(browse: Browse, board: BoardEnv) -> None:
    browser = browse("lead")
    assert browser.fill(PATH, PATH, to="eng", until=UNTIL, absent="true").status_code == 303
    assert names(board, "eng") == {"lead"}
    html = browser.see(PATH).text
    assert "김철수 대리" in html and "위임 중" in html and "부재" in html
    received = browse("eng").see(PATH).text
    assert "정다은 팀장" in received and 'action="/delegations/end"' not in received
    number = re.search(r'name="number" value="(\d+)"', html)
    assert number
    assert browse("pm").fill(f"{PATH}/end", PATH, number=number[1]).status_code == 403
    assert browser.fill(f"{PATH}/end", PATH, number=number[1]).status_code == 303
    assert names(board, "eng") == set()
    assert browser.fill(f"{PATH}/end", PATH, number=number[1]).status_code == 404


def test_moments_are_the_companys(browse: Browse, board: BoardEnv) -> None:
    browser = browse("lead")
    sent = browser.fill(PATH, PATH, to="eng", begins="2099-12-30T09:00", until=UNTIL)
    assert sent.status_code == 303
    html = browser.see(PATH).text
    assert "12-30 09:00" in html and "12-31 18:00" in html and "예정" in html
    assert names(board, "eng") == set()


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
def test_what_does_not_hold_is_said_on_the_page_and_changes_nothing(
    browse: Browse, board: BoardEnv, fields: dict[str, str]
) -> None:
    answer = browse("lead").fill(PATH, PATH, **fields)
    assert answer.status_code in (403, 404, 422)
    assert 'role="alert"' in answer.text and "새 위임" in answer.text
    assert delegations.overview(board.desk, LEAD).given == ()


def test_an_administrator_sets_and_ends_others_and_sees_all(
    browse: Browse, board: BoardEnv
) -> None:
    browser = browse("admin")
    assert browser.fill(PATH, PATH, to="eng", until=UNTIL, principal="pm").status_code == 303
    assert names(board, "eng") == {"pm"}
    html = browser.see(PATH).text
    assert "다른 사람의 위임" in html and "최현우 PM" in html
    number = re.search(r'name="number" value="(\d+)"', html)
    assert number
    assert browser.fill(f"{PATH}/end", PATH, number=number[1]).status_code == 303
    assert names(board, "eng") == set()


def test_who_has_nothing_to_delegate_sees_no_form_and_customers_nothing(
    browse: Browse, board: BoardEnv
) -> None:
    ends = board.desk.clock() + timedelta(days=1)
    delegations.delegate(board.desk, PM, "eng", ends=ends)
    html = browse("eng").see(PATH).text
    assert "최현우 PM" in html and 'action="/delegations"' not in html
    assert browse("eng").fill(PATH, "/issues/new", to="pm", until=UNTIL).status_code == 403
    for account in ("cus", "audit"):
        assert browse(account).see(PATH).status_code == 403
        assert PATH not in browse(account).see("/issues").text
