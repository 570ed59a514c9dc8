"""The page of the tools."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from board_env import BoardEnv
from page_env import PageClient, enrol_page_users

Browse = Callable[[str], PageClient]


@pytest.mark.slow
@pytest.mark.usefixtures("web_env")
def test_staff_see_every_tool_and_one_family(env: BoardEnv, sign_in_as: Browse) -> None:
    enrol_page_users(env)
    lead = sign_in_as("lead")
    html = lead.get_page("/tools").text
    for part in ("DB 세션 종료", "database.terminate_session", "업무 영향", "사용 안 함"):
        assert part in html
    only = lead.get_page("/tools?family=schedule").text
    assert "schedule.set_timer" in only and "database.locks" not in only


@pytest.mark.usefixtures("web_env")
def test_customers_do_not(env: BoardEnv, sign_in_as: Browse) -> None:
    enrol_page_users(env)
    assert sign_in_as("cus").get("/tools").status_code == 403
