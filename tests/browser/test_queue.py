"""Taking and answering issues in a real browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from assignment_env import ROOM, issue, states
from board_env import BoardEnv
from playwright.sync_api import Page, expect

from guardia.board.assignment.understanding import Understanding
from guardia.board.execution import tasks

pytestmark = [pytest.mark.browser, pytest.mark.slow]
READ = Understanding(kind="REQUEST", category="DB", priority="P2", confidence="high")


def handed_over(env: BoardEnv, category: str, **more: str) -> int:
    sr_id = env.create_issue(**{**ROOM, "text": "조회 권한을 확인해 주세요", **more})
    understood = READ.model_copy(update={"category": category})
    tasks.hand_over(env.board, env.claim("dispatcher"), "담당자 확인", understood=understood)
    return sr_id


@pytest.mark.parametrize("width", [1440, 390])
def test_an_engineer_accepts_one_and_takes_another(
    web_env: BoardEnv, sign_in: Callable[..., Page], site: str, width: int
) -> None:
    asked, free = handed_over(web_env, "DB", institution="MOF"), handed_over(web_env, "NETWORK")
    page = sign_in("eng", f"/issues/{asked}")
    page.set_viewport_size({"width": width, "height": 900})
    who = page.locator("#who")
    expect(who).to_contain_text("담당 추천: 김철수 대리")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    who.get_by_role("button", name="수락").click()
    expect(page.locator("#who")).to_contain_text("김철수 대리")
    assert states(web_env, asked) == [("eng", "ACCEPTED")]
    page.goto(f"{site}/queue")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="내가 맡기").click()
    page.wait_for_url(f"**/issues/{free}")
    assert issue(web_env, free).assignee_id == "eng"
