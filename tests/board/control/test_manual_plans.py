"""What people plan: another plan for a task in any of its states, and one forced action."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, LEAD2, OFFICER, PM, SERVER, BoardEnv, plan

from guardia.board.approvals import decisions, pending
from guardia.board.audit import log
from guardia.board.control import directives, kill_switch, manual_plans, rollback
from guardia.board.control.directives import DirectiveRequest
from guardia.board.control.manual_plans import PlanRevision
from guardia.board.control.rollback import RollbackGrant
from guardia.board.core.claims import Claim
from guardia.board.core.lifecycle import State
from guardia.board.core.plan import Action, Plan, ToolCall
from guardia.board.core.planner import ActionDraft
from guardia.board.execution import commands, tasks, view
from guardia.board.execution.commands import CommandResult, PlanStep
from guardia.board.organization import chart as organization_chart
from guardia.board.runs import beats
from guardia.errors import Forbidden, IllegalMove, Invalid, NotFound, Refused, Stale
from guardia.org import chart
from guardia.org.directory import Directory, Service
from guardia.tools import planning as catalogue

HOST = SERVER.model_copy(
    update={
        "services": (
            Service(
                name="budgetdb",
                kind="http",
                port=8080,
                control="/h/bin/ctl",
                health="/health",
                root="/h/srv/budgetdb",
                logs="/h/srv/budgetdb/logs",
            ),
        )
    }
)
GOOD = CommandResult(True, {}, "", 1)


def level(to: str, before: str) -> ToolCall:
    args = {"service": "budgetdb", "level": to, "previous": before}
    return ToolCall(tool="service.set_log_level", args=args)


FIRST, SECOND, THIRD = level("INFO", "DEBUG"), level("WARN", "INFO"), level("ERROR", "INFO")
RESTART = ToolCall(tool="service.restart", args={"service": "budgetdb"})


@pytest.fixture
def board(cast: BoardEnv) -> BoardEnv:
    """The cast with a server that has what the catalogue's tools need."""
    organization_chart.import_directory(cast.desk, Directory(servers=(HOST,)), {})
    return cast


def made(*calls: ToolCall) -> Plan:
    return plan("MAINTENANCE", *(catalogue.propose(call, HOST) for call in calls))


def approve(board: BoardEnv, hold: Claim, bound: str) -> None:
    decisions.decide(board.desk, LEAD, hold.task_id, approve=True, plan_hash=bound)


def running(board: BoardEnv, *calls: ToolCall, done: int = 0) -> Claim:
    """A task under way, so many of whose actions have been carried out."""
    hold, filed, bound = board.planned(made(*calls))
    approve(board, hold, bound)
    hold = board.hold("db-agent")
    grant = tasks.begin_execution(board.desk, hold)
    for ordinal, action in enumerate(filed.actions[:done]):
        intent = commands.record_intent(
            board.desk, grant, action.call, "…", PlanStep(ordinal, "do")
        )
        commands.record_result(board.desk, intent, GOOD)
    return hold


def change(board: BoardEnv, hold: Claim, *calls: ToolCall, reason: str = "값을 고침") -> State:
    bound = view.plan_state(board.desk, hold.task_id).plan_hash or ""
    revision = PlanRevision(bound, [ActionDraft.of(call) for call in calls], reason)
    return manual_plans.change_plan(board.desk, PM, hold.task_id, revision)


def filed(board: BoardEnv, hold: Claim) -> Plan:
    found = view.plan_state(board.desk, hold.task_id).plan
    assert found is not None
    return found


def calls_of(found: Plan) -> list[ToolCall]:
    return [action.call for action in found.actions]


def rows(board: BoardEnv, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(board.dsn) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def kinds(board: BoardEnv) -> list[str]:
    with board.desk.database.reading() as session:
        assert log.verify_all(session).intact
        return [link.kind for link in log.entries(session)]


def undo(board: BoardEnv, *, restored: int = 0, lost: list[str] | None = None) -> RollbackGrant:
    """What the agent's next beat does about an order."""
    begun = beats.begin(board.desk, "db-agent")
    assert begun is not None and "order" in begun.reasons
    order = rollback.claim_rollback(board.desk, begun)
    assert order is not None
    found = rollback.grant_rollback(board.desk, order)
    rollback.finish_rollback(board.desk, order, ["- 로그"] * restored, lost or [], found.kept)
    beats.end(board.desk, begun, "order", task_id=None, steps=1)
    return found


# Before it runs ------------------------------------------------------------------------------


def waiting(board: BoardEnv) -> Claim:
    return board.planned(made(FIRST))[0]


def approved(board: BoardEnv) -> Claim:
    hold, _, bound = board.planned(made(FIRST))
    approve(board, hold, bound)
    return hold


def sent_back(board: BoardEnv) -> Claim:
    hold, _, bound = board.planned(made(FIRST))
    decisions.ask_changes(board.desk, LEAD, hold.task_id, plan_hash=bound, reason="다시")
    return hold


def taken_over(board: BoardEnv) -> Claim:
    hold = running(board, FIRST)
    directives.issue_directive(board.desk, LEAD, hold.task_id, DirectiveRequest("manual"))
    return hold


def paused(board: BoardEnv) -> Claim:
    hold = waiting(board)
    directives.issue_directive(board.desk, LEAD, hold.task_id, DirectiveRequest("pause"))
    return hold


@pytest.mark.parametrize("begin", [waiting, approved, sent_back, taken_over, paused])
def test_a_changed_plan_is_concrete_asked_anew_and_its_author_has_no_say(
    board: BoardEnv, begin: object
) -> None:
    hold = begin(board)  # type: ignore[operator]
    before = view.plan_state(board.desk, hold.task_id).plan_hash
    assert change(board, hold, SECOND) is State.PENDING_APPROVAL
    [action] = filed(board, hold).actions
    assert action == catalogue.propose(SECOND, HOST)
    state = view.plan_state(board.desk, hold.task_id)
    assert state.plan_hash is not None and state.plan_hash != before
    # Every step that counts is bound to the new plan, and nobody has decided it.
    live = rows(board, "select distinct plan_hash, state from tb_approval where state <> 'VOID'")
    assert {row for row in live if row[1] in ("WAITING", "APPROVED")} == {
        (state.plan_hash, "WAITING")
    }
    with pytest.raises(Stale):
        tasks.begin_execution(board.desk, hold)
    with pytest.raises(Stale):
        decisions.decide(board.desk, LEAD, hold.task_id, approve=True, plan_hash=before or "")
    with pytest.raises(Forbidden):
        decisions.decide(board.desk, PM, hold.task_id, approve=True, plan_hash=state.plan_hash)
    approve(board, hold, state.plan_hash)
    assert kinds(board)[-3:] == ["ordered", "planned", "approved"]
    if begin is not paused:
        assert view.task(board.desk, hold.task_id).written
        assert (
            tasks.begin_execution(board.desk, board.hold("db-agent")).plan_hash == state.plan_hash
        )


def test_the_author_of_a_changed_plan_cannot_fill_a_step_of_it(board: BoardEnv) -> None:
    hold = waiting(board)
    bound = view.plan_state(board.desk, hold.task_id).plan_hash or ""
    manual_plans.change_plan(
        board.desk, LEAD, hold.task_id, PlanRevision(bound, [ActionDraft.of(SECOND)], "고침")
    )
    fresh = view.plan_state(board.desk, hold.task_id).plan_hash or ""
    with pytest.raises(Forbidden, match="작성"):
        decisions.decide(board.desk, LEAD, hold.task_id, approve=True, plan_hash=fresh)
    assert decisions.decide(board.desk, LEAD2, hold.task_id, approve=True, plan_hash=fresh)


WRONG = {
    "an unknown tool": (ActionDraft("service.explode", {}), Refused),
    "a read": (ActionDraft("service.health", {"service": "budgetdb"}), Refused),
    "more than was asked": (
        ActionDraft("deploy.activate", {"service": "budgetdb", "version": "2", "previous": "1"}),
        Refused,
    ),
    "a service that is not there": (ActionDraft("service.restart", {"service": "other"}), Refused),
    "shell": (ActionDraft("service.restart", {"service": "budgetdb; reboot"}), Invalid),
    "a missing argument": (ActionDraft("service.set_log_level", {"service": "budgetdb"}), Invalid),
    "an argument of another": (
        ActionDraft("service.restart", {"service": "a", "pid": "1"}),
        Invalid,
    ),
    "what is there already": (ActionDraft.of(FIRST), Invalid),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_hold_is_refused_and_nothing_is_changed(board: BoardEnv, case: str) -> None:
    draft, fault = WRONG[case]
    hold = waiting(board)
    before, bound = kinds(board), view.plan_state(board.desk, hold.task_id).plan_hash or ""
    with pytest.raises(fault):
        manual_plans.change_plan(board.desk, PM, hold.task_id, PlanRevision(bound, [draft], "고침"))
    for nothing in (
        PlanRevision(bound, [], "고침"),
        PlanRevision(bound, [ActionDraft.of(SECOND)], "  "),
    ):
        with pytest.raises(Invalid):
            manual_plans.change_plan(board.desk, PM, hold.task_id, nothing)
    with pytest.raises(Stale):
        manual_plans.change_plan(
            board.desk, PM, hold.task_id, PlanRevision("0", [ActionDraft.of(SECOND)], "고침")
        )
    with pytest.raises(Forbidden):
        manual_plans.change_plan(
            board.desk, CUSTOMER, hold.task_id, PlanRevision(bound, [draft], "고침")
        )
    with pytest.raises(Invalid):
        directives.issue_directive(
            board.desk, PM, hold.task_id, DirectiveRequest("change", "고침", bound)
        )
    assert kinds(board) == before


def test_what_has_no_plan_or_has_ended_cannot_be_changed(board: BoardEnv) -> None:
    hold = board.parsed()
    with pytest.raises((Stale, Refused)):
        change(board, hold, SECOND)
    hold = running(board, FIRST, done=1)
    tasks.complete(board.desk, hold, "끝")
    with pytest.raises(IllegalMove):
        change(board, hold, SECOND)


def test_an_approval_and_a_change_at_once_never_leave_an_unseen_plan_approved(
    board: BoardEnv,
) -> None:
    with ThreadPoolExecutor(2) as threads:
        for _ in range(12):
            hold, _, bound = board.planned(made(FIRST))
            both = [
                threads.submit(approve, board, hold, bound),
                threads.submit(change, board, hold, SECOND),
            ]
            assert all(isinstance(b.exception(), Stale | None) for b in both)
            found = view.plan_state(board.desk, hold.task_id)
            if found.plan_hash != bound:
                assert view.task(board.desk, hold.task_id).state is State.PENDING_APPROVAL
                with pytest.raises(Stale):
                    tasks.begin_execution(board.desk, hold)
            with psycopg.connect(board.dsn) as connection:  # so that it is not claimed again
                connection.execute("update tb_ops_task set paused = true")


# While it runs -------------------------------------------------------------------------------


def test_running_work_is_taken_from_its_agent_and_undone_before_anyone_is_asked(
    board: BoardEnv,
) -> None:
    hold = running(board, FIRST, done=1)
    assert change(board, hold, SECOND) is State.IN_PROGRESS
    with pytest.raises(Stale):
        tasks.complete(board.desk, hold, "끝")
    with pytest.raises(IllegalMove):
        change(board, hold, THIRD)
    found = undo(board, restored=1)
    assert found.kept == 0
    assert view.task(board.desk, hold.task_id).state is State.PENDING_APPROVAL
    assert calls_of(filed(board, hold)) == [SECOND]
    bound = view.plan_state(board.desk, hold.task_id).plan_hash or ""
    approve(board, hold, bound)
    grant = tasks.begin_execution(board.desk, board.hold("db-agent"))
    commands.record_intent(board.desk, grant, SECOND, "…", PlanStep(0, "do"))


def test_what_both_plans_begin_with_is_kept_and_not_done_again(board: BoardEnv) -> None:
    hold = running(board, FIRST, SECOND, done=2)
    change(board, hold, FIRST, THIRD)
    found = undo(board, restored=1)
    assert found.kept == 1
    bound = view.plan_state(board.desk, hold.task_id).plan_hash or ""
    approve(board, hold, bound)
    again = board.hold("db-agent")
    grant = tasks.begin_execution(board.desk, again)
    assert commands.attempted_actions(board.desk, again, bound) == {(0, "do"): "DONE"}
    with pytest.raises(Refused, match="이미"):
        commands.record_intent(board.desk, grant, FIRST, "…", PlanStep(0, "do"))
    commands.record_intent(board.desk, grant, THIRD, "…", PlanStep(1, "do"))


def test_what_cannot_be_undone_goes_to_people_and_the_changed_plan_is_not_asked(
    board: BoardEnv,
) -> None:
    hold = running(board, RESTART, done=1)
    change(board, hold, SECOND)
    undo(board, lost=["- 재시작"])
    assert view.task(board.desk, hold.task_id).state is State.MANUAL
    assert calls_of(filed(board, hold)) == [RESTART]
    assert rows(board, "select count(*) from tb_outbox where kind = 'alert'") == [(1,)]
    # It is still in the record, and a person may file it once the server is as it should be.
    assert change(board, hold, SECOND) is State.PENDING_APPROVAL


def test_the_kill_switch_outranks_a_change_and_keeps_nothing(board: BoardEnv) -> None:
    hold = running(board, FIRST, SECOND, done=2)
    change(board, hold, FIRST, THIRD)
    begun = beats.begin(board.desk, "db-agent")
    assert begun is not None
    order = rollback.claim_rollback(board.desk, begun)
    assert order is not None
    found = rollback.grant_rollback(board.desk, order)
    assert found.kept == 1
    kill_switch.kill(board.desk, LEAD, "모두 멈춤")
    assert (
        rollback.finish_rollback(board.desk, order, ["- 로그"], [], found.kept) is State.IN_PROGRESS
    )
    beats.end(board.desk, begun, "order", task_id=None, steps=1)
    assert undo(board, restored=2).kept == 0
    assert view.task(board.desk, hold.task_id).state is State.FAILED_ROLLBACK
    assert [s.outcome for s in kill_switch.stopped_tasks(board.desk, 1)] == ["RESTORED"]


# A forced action -----------------------------------------------------------------------------


def force(board: BoardEnv, sr_id: int, **other: object) -> int:
    given = {
        "person": PM,
        "server": "MOF-DB-01",
        "draft": ActionDraft.of(RESTART),
        "reason": "긴급",
    }
    words = {**given, **other}
    return manual_plans.force_action(board.desk, words.pop("person"), sr_id, **words)  # type: ignore[arg-type]


def test_a_forced_action_is_a_task_of_its_own_with_its_own_approvals(board: BoardEnv) -> None:
    sr_id = board.received()
    task_id = force(board, sr_id)
    [mine] = [p for p in pending.pending_plans(board.desk, sr_id) if p.task_id == task_id]
    assert (mine.plan.category, mine.role) == ("FORCED", "team_lead")
    assert "긴급" in mine.plan.because and mine.plan.actions[0].verify
    with pytest.raises(Forbidden):
        decisions.decide(board.desk, PM, task_id, approve=True, plan_hash=mine.plan_hash)
    for person in (LEAD, OFFICER):
        decisions.decide(board.desk, person, task_id, approve=True, plan_hash=mine.plan_hash)
    hold = board.hold("db-agent")
    assert hold.task_id == task_id and view.task(board.desk, task_id).written
    grant = tasks.begin_execution(board.desk, hold)
    commands.record_intent(board.desk, grant, RESTART, "…", PlanStep(0, "do"))
    found = kinds(board)
    assert found[found.index("ordered") :][:2] == ["ordered", "planned"]
    assert rows(board, "select verb, reason, ordered_by from tb_directive") == [
        ("force", "긴급", "person:pm")
    ]


def test_who_has_not_the_right_or_gives_no_reason_forces_nothing(board: BoardEnv) -> None:
    sr_id = board.received()
    before = kinds(board)
    for person in (CUSTOMER, ENGINEER):
        with pytest.raises(Forbidden):
            force(board, sr_id, person=person)
    with pytest.raises(Invalid):
        force(board, sr_id, reason=" ")
    with pytest.raises(NotFound):
        force(board, sr_id, server="nowhere")
    with pytest.raises(NotFound):
        force(board, 999)
    with pytest.raises(Refused):
        force(board, sr_id, draft=ActionDraft("service.health", {"service": "budgetdb"}))
    with pytest.raises(Invalid):
        force(board, sr_id, draft=ActionDraft("service.restart", {"service": "$(reboot)"}))
    with pytest.raises(Refused):
        desk = replace(board.desk, planner=None)
        manual_plans.force_action(desk, PM, sr_id, "MOF-DB-01", ActionDraft.of(RESTART), "긴급")
    assert kinds(board) == before


def test_a_chart_that_knows_no_forced_actions_allows_none(board: BoardEnv) -> None:
    text = chart.shipped_chart_path().read_text("utf-8")
    line = next(x for x in text.splitlines() if x.strip().startswith("FORCED:"))
    sr_id = board.received()
    organization_chart.apply_chart(board.desk, text.replace(line, ""), "operator:test")
    with pytest.raises(Invalid):
        force(board, sr_id)
    with pytest.raises(Exception, match="FORCED"):
        chart.parse(text.replace(line, "  FORCED: []"))
    assert rows(board, "select count(*) from tb_ops_task") == [(1,)]


def test_a_forced_action_that_is_done_can_be_rolled_back(board: BoardEnv) -> None:
    sr_id = board.received()
    task_id = force(board, sr_id, draft=ActionDraft.of(FIRST))
    bound = view.plan_state(board.desk, task_id).plan_hash or ""
    for person in (LEAD, OFFICER):
        decisions.decide(board.desk, person, task_id, approve=True, plan_hash=bound)
    hold = board.hold("db-agent")
    grant = tasks.begin_execution(board.desk, hold)
    commands.record_result(
        board.desk, commands.record_intent(board.desk, grant, FIRST, "…", PlanStep(0, "do")), GOOD
    )
    tasks.complete(board.desk, hold, "끝")
    directives.issue_directive(
        board.desk, LEAD, task_id, DirectiveRequest("rollback", "되돌려 주세요")
    )
    undo(board, restored=1)
    assert view.task(board.desk, task_id).state is State.ROLLED_BACK


def test_proposals_for_people_and_agents_are_the_same(board: BoardEnv) -> None:
    planner = board.desk.planner
    assert planner is not None
    for call in (FIRST, RESTART):
        action: Action = planner.action(ActionDraft.of(call), HOST, "MAINTENANCE")
        assert action == catalogue.propose(call, HOST)
    offered = {offer.tool: offer.arguments for offer in planner.offers()}
    assert offered["service.restart"] == ("service",) and "service.health" not in offered
