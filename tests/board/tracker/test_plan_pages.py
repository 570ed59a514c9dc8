"""People plan on the pages: the form of a plan, and of one forced action."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from board_env import SERVER, BoardEnv, plan
from page_env import PageClient

from guardia.board.approvals import pending
from guardia.board.core.claims import Claim
from guardia.board.core.lifecycle import State
from guardia.board.core.plan import ToolCall
from guardia.board.execution import view
from guardia.board.organization import chart
from guardia.org.directory import Directory, Service
from guardia.tools import planning as catalogue

Browse = Callable[[str], PageClient]
PROGRAM = Service(
    name="budgetdb", kind="http", port=80, control="/h/ctl", root="/h/budgetdb", health="/health"
)
HOST = SERVER.model_copy(update={"services": (PROGRAM,)})
CALL = ToolCall(
    tool="service.set_log_level",
    args={"service": "budgetdb", "level": "INFO", "previous": "DEBUG"},
)


@pytest.fixture
def hold(board: BoardEnv) -> Claim:
    """A plan that waits, on a server that has what its tool needs."""
    chart.import_directory(board.desk, Directory(servers=(HOST,)), {})
    return board.planned(plan("MAINTENANCE", catalogue.propose(CALL, HOST)))[0]


def pages(hold: Claim) -> tuple[str, str]:
    issue = f"/issues/{hold.sr_id}"
    return issue, f"{issue}/tasks/{hold.task_id}/plan"


def test_an_engineer_changes_an_argument_and_the_plan_is_asked_anew(
    browse: Browse, board: BoardEnv, hold: Claim
) -> None:
    issue, form = pages(hold)
    engineer = browse("eng")
    assert form in engineer.see(issue).text
    html = engineer.see(form).text
    assert 'name="1.level"' in html and 'value="INFO"' in html
    assert 'value="change"' not in engineer.see(issue).text  # only with its own form
    before = view.plan_state(board.desk, hold.task_id).plan_hash or ""
    wish = {"plan_hash": before, "1.level": "WARN", "reason": "경고는 남깁니다"}
    assert engineer.fill(form, form, **wish).status_code == 303
    found = view.plan_state(board.desk, hold.task_id)
    assert found.plan is not None and found.plan_hash != before
    assert found.plan.actions[0].call.args["level"] == "WARN"
    assert view.task(board.desk, hold.task_id).state is State.PENDING_APPROVAL
    assert "경고는 남깁니다" in engineer.see(issue).text
    # The form of the plan that is gone says so.
    stale = engineer.fill(form, form, **{**wish, "1.level": "ERROR"})
    assert stale.status_code == 409 and 'role="alert"' in stale.text


def test_what_does_not_hold_comes_back_with_all_that_was_written(
    browse: Browse, board: BoardEnv, hold: Claim
) -> None:
    _, form = pages(hold)
    lead = browse("lead")
    before = view.plan_state(board.desk, hold.task_id).plan_hash or ""
    wish = {"plan_hash": before, "reason": "<b>사유</b>", "1.level": '"><script>'}
    answer = lead.fill(form, form, **wish, tool="service.restart", arguments="service=budgetdb")
    assert answer.status_code == 422 and 'role="alert"' in answer.text
    assert "&#34;&gt;&lt;script&gt;" in answer.text and "<script>" not in answer.text
    assert "&lt;b&gt;사유" in answer.text and "service=budgetdb</textarea>" in answer.text
    for wrong in (
        {"drop.1": "1"},
        {"tool": "service.restart", "arguments": "service"},
        {"tool": "service.explode"},
        {"1.level": "WARN", "reason": " "},
    ):
        answer = lead.fill(form, form, **{"plan_hash": before, "reason": "고침", **wrong})
        assert answer.status_code in (409, 422), wrong
    assert view.plan_state(board.desk, hold.task_id).plan_hash == before
    dropped = {"plan_hash": before, "reason": "고침", "drop.1": "1"}
    more = {"tool": "service.restart", "arguments": "service=budgetdb"}
    assert lead.fill(form, form, **dropped, **more).status_code == 303
    found = view.plan_state(board.desk, hold.task_id).plan
    assert found is not None and [a.call.tool for a in found.actions] == ["service.restart"]


def test_a_forced_action_is_asked_for_on_its_own_page(
    browse: Browse, board: BoardEnv, hold: Claim
) -> None:
    issue, form = f"/issues/{hold.sr_id}", f"/issues/{hold.sr_id}/force"
    manager = browse("pm")
    assert form in manager.see(issue).text
    html = manager.see(form).text
    assert 'value="MOF-DB-01"' in html and "service.restart" in html
    wish = {"server": "MOF-DB-01", "tool": "service.restart", "arguments": "service=budgetdb"}
    for wrong in ({"reason": ""}, {"server": "x"}, {"tool": ""}, {"arguments": "service=x y"}):
        answer = manager.fill(form, form, **{**wish, "reason": "긴급", **wrong})
        assert answer.status_code in (404, 409, 422) and 'role="alert"' in answer.text
    assert manager.fill(form, form, **wish, reason="긴급 복구").status_code == 303
    assert "강제 조치" in manager.see(issue).text
    waiting = pending.pending_plans(board.desk, hold.sr_id)
    assert [w.plan.category for w in waiting] == ["MAINTENANCE", "FORCED"]


def test_who_may_not_plan_has_no_form_and_what_is_not_theirs_does_not_exist(
    browse: Browse, hold: Claim
) -> None:
    issue, form = pages(hold)
    force = f"/issues/{hold.sr_id}/force"
    for account, answers in {"cus": (404, 403), "eng": (200, 403), "audit": (403, 403)}.items():
        browser = browse(account)
        found = tuple(browser.see(path).status_code for path in (form, force))
        assert found == answers, account
        sent = browser.post(
            force, data={"csrf": "0", "server": "x"}, headers={"accept": "text/html"}
        )
        assert sent.status_code == 403
    assert force not in browse("eng").see(issue).text
    stranger = browse("cus2")
    assert {stranger.see(path).status_code for path in (form, force)} == {404}
    assert browse("lead").see(f"/issues/{hold.sr_id}/tasks/999/plan").status_code == 404
