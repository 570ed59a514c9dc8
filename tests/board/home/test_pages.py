"""The start page, its number in the navigation, and the form of its cards."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from board_env import LEAD, BoardEnv
from page_env import IssueScenario, PageClient

from guardia.board.approvals import decisions
from guardia.board.dashboard.registry import CARDS

Browse = Callable[[str], PageClient]


@pytest.mark.slow
def test_it_shows_what_waits_and_counts_it(sign_in_as: Browse, web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).waiting()
    browser = sign_in_as("lead")
    page = browser.get_page("/").text
    assert f'href="/issues/{scenario.sr_id}"' in page
    assert "처리할 일 1건이 있습니다" in page
    assert 'data-count="1"' in browser.get_page("/inbox/count").text
    assert "data-count" not in sign_in_as("eng").get_page("/inbox/count").text
    live = browser.get("/", headers={"hx-request": "true"}).text
    assert 'id="part-inbox"' in live and "<html" not in live


@pytest.mark.slow
@pytest.mark.parametrize("account", ["cus", "eng", "lead", "pm", "officer", "admin", "audit"])
def test_every_role_has_a_start_page(sign_in_as: Browse, web_env: BoardEnv, account: str) -> None:
    IssueScenario(web_env).waiting()
    assert 'id="part-inbox"' in sign_in_as(account).get_page("/").text


@pytest.mark.slow
def test_all_cards_are_shown_with_and_without_work(sign_in_as: Browse, web_env: BoardEnv) -> None:
    browser = sign_in_as("admin")
    names = [card.name for card in CARDS]
    browser.submit_form("/home/cards", "/home/cards", card=names)
    empty = browser.get_page("/").text
    scenario = IssueScenario(web_env).waiting()
    task, bound = scenario.claim.task_id, scenario.plan_hash
    decisions.decide(web_env.board, LEAD, task, approve=True, plan_hash=bound)
    scenario.start().fail()
    full = browser.get_page("/?days=1&institution=MOF").text
    for card in CARDS:
        part = card.template.partition("/")[2]
        assert f'id="part-{part}"' in empty and f'id="part-{part}"' in full


@pytest.mark.slow
def test_cards_are_chosen_and_reset(sign_in_as: Browse) -> None:
    browser = sign_in_as("eng")
    browser.submit_form("/home/cards", "/home/cards", card=["hours", "failures"])
    page = browser.get_page("/").text
    assert page.index("part-hours") < page.index("part-failures")
    assert "part-requests" not in page
    browser.submit_form("/home/cards", "/home/cards", act="reset")
    assert "part-requests" in browser.get_page("/").text


@pytest.mark.slow
def test_only_administrators_set_the_cards_of_a_role(sign_in_as: Browse) -> None:
    fields = {"role": "engineer", "card": ["hours"]}
    assert sign_in_as("lead").submit_form("/home/cards", "/home/cards", **fields).status_code == 403
    assert (
        sign_in_as("admin").submit_form("/home/cards", "/home/cards", **fields).status_code == 303
    )
    assert "part-requests" not in sign_in_as("eng").get_page("/").text


@pytest.mark.slow
def test_an_outsider_sees_nothing_of_another_institution(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    scenario = IssueScenario(web_env).waiting()
    mine = sign_in_as("cus").get_page("/issues?q=status:pending_approval").text
    assert f"/issues/{scenario.sr_id}" in mine
    page = sign_in_as("cus2").get_page("/").text
    assert "처리 중인 요청이 없습니다" in page
