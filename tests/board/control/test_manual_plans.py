"""Tests of plans made by people: changed plans and forced actions."""

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
from guardia.board.core.actors import Actor
from guardia.board.core.claims import Claim
from guardia.board.core.keyless import NoPlanner
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
def env(env: BoardEnv) -> BoardEnv:
    """Return the board with a server that supports the catalogue's tools."""
    organization_chart.import_directory(env.board, Directory(servers=(HOST,)), {})
    return env


def made(*calls: ToolCall) -> Plan:
    return plan("MAINTENANCE", *(catalogue.propose(call, HOST) for call in calls))


def approve(env: BoardEnv, claim: Claim, bound: str) -> None:
    decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=bound)


def running(env: BoardEnv, *calls: ToolCall, done: int = 0) -> Claim:
    """Start a task and carry out its first `done` actions."""
    claim, filed, bound = env.create_filed_plan(made(*calls))
    approve(env, claim, bound)
    claim = env.claim("db-agent")
    grant = tasks.begin_execution(env.board, claim)
    for ordinal, action in enumerate(filed.actions[:done]):
        intent = commands.record_intent(env.board, grant, action.call, "…", PlanStep(ordinal, "do"))
        commands.record_result(env.board, intent, GOOD)
    return claim


def change(env: BoardEnv, claim: Claim, *calls: ToolCall, reason: str = "값을 고침") -> State:
    bound = view.plan_state(env.board, claim.task_id).plan_hash or ""
    revision = PlanRevision(bound, [ActionDraft.of(call) for call in calls], reason)
    return manual_plans.change_plan(env.board, PM, claim.task_id, revision)


def filed(env: BoardEnv, claim: Claim) -> Plan:
    found = view.plan_state(env.board, claim.task_id).plan
    assert found is not None
    return found


def calls_of(found: Plan) -> list[ToolCall]:
    return [action.call for action in found.actions]


def rows(env: BoardEnv, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(env.dsn) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def kinds(env: BoardEnv) -> list[str]:
    with env.board.database.reading() as session:
        assert log.verify_all(session).intact
        return [link.kind for link in log.entries(session)]


def undo(env: BoardEnv, *, restored: int = 0, lost: list[str] | None = None) -> RollbackGrant:
    """Carry out a rollback as the agent's next beat does."""
    begun = beats.begin(env.board, "db-agent")
    assert begun is not None and "order" in begun.reasons
    order = rollback.claim_rollback(env.board, begun)
    assert order is not None
    found = rollback.grant_rollback(env.board, order)
    rollback.finish_rollback(env.board, order, ["- 로그"] * restored, lost or [], found.kept)
    beats.end(env.board, begun, "order", task_id=None, steps=1)
    return found


# Before it runs ------------------------------------------------------------------------------


def waiting(env: BoardEnv) -> Claim:
    return env.create_filed_plan(made(FIRST))[0]


def approved(env: BoardEnv) -> Claim:
    claim, _, bound = env.create_filed_plan(made(FIRST))
    approve(env, claim, bound)
    return claim


def sent_back(env: BoardEnv) -> Claim:
    claim, _, bound = env.create_filed_plan(made(FIRST))
    decisions.ask_changes(env.board, LEAD, claim.task_id, plan_hash=bound, reason="다시")
    return claim


def taken_over(env: BoardEnv) -> Claim:
    claim = running(env, FIRST)
    directives.issue_directive(env.board, LEAD, claim.task_id, DirectiveRequest("manual"))
    return claim


def paused(env: BoardEnv) -> Claim:
    claim = waiting(env)
    directives.issue_directive(env.board, LEAD, claim.task_id, DirectiveRequest("pause"))
    return claim


@pytest.mark.parametrize("begin", [waiting, approved, sent_back, taken_over, paused])
@pytest.mark.slow
def test_a_changed_plan_needs_new_approvals_without_its_author(
    env: BoardEnv, begin: object
) -> None:
    claim = begin(env)  # type: ignore[operator]
    before = view.plan_state(env.board, claim.task_id).plan_hash
    assert change(env, claim, SECOND) is State.PENDING_APPROVAL
    [action] = filed(env, claim).actions
    assert action == catalogue.propose(SECOND, HOST)
    state = view.plan_state(env.board, claim.task_id)
    assert state.plan_hash is not None and state.plan_hash != before
    # Every active step is bound to the new plan and undecided.
    live = rows(env, "select distinct plan_hash, state from tb_approval where state <> 'VOID'")
    assert {row for row in live if row[1] in ("WAITING", "APPROVED")} == {
        (state.plan_hash, "WAITING")
    }
    with pytest.raises(Stale):
        tasks.begin_execution(env.board, claim)
    with pytest.raises(Stale):
        decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=before or "")
    with pytest.raises(Forbidden):
        decisions.decide(env.board, PM, claim.task_id, approve=True, plan_hash=state.plan_hash)
    approve(env, claim, state.plan_hash)
    assert kinds(env)[-3:] == ["ordered", "planned", "approved"]
    if begin is not paused:
        assert view.task(env.board, claim.task_id).has_manual_plan
        assert tasks.begin_execution(env.board, env.claim("db-agent")).plan_hash == state.plan_hash


def test_the_author_of_a_changed_plan_cannot_fill_a_step_of_it(env: BoardEnv) -> None:
    claim = waiting(env)
    bound = view.plan_state(env.board, claim.task_id).plan_hash or ""
    manual_plans.change_plan(
        env.board, LEAD, claim.task_id, PlanRevision(bound, [ActionDraft.of(SECOND)], "고침")
    )
    fresh = view.plan_state(env.board, claim.task_id).plan_hash or ""
    with pytest.raises(Forbidden, match="작성"):
        decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=fresh)
    assert decisions.decide(env.board, LEAD2, claim.task_id, approve=True, plan_hash=fresh)


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
@pytest.mark.slow
def test_an_invalid_change_is_refused_and_changes_nothing(env: BoardEnv, case: str) -> None:
    draft, fault = WRONG[case]
    claim = waiting(env)
    before, bound = kinds(env), view.plan_state(env.board, claim.task_id).plan_hash or ""
    with pytest.raises(fault):
        manual_plans.change_plan(env.board, PM, claim.task_id, PlanRevision(bound, [draft], "고침"))
    for nothing in (
        PlanRevision(bound, [], "고침"),
        PlanRevision(bound, [ActionDraft.of(SECOND)], "  "),
    ):
        with pytest.raises(Invalid):
            manual_plans.change_plan(env.board, PM, claim.task_id, nothing)
    with pytest.raises(Stale):
        manual_plans.change_plan(
            env.board, PM, claim.task_id, PlanRevision("0", [ActionDraft.of(SECOND)], "고침")
        )
    with pytest.raises(Forbidden):
        manual_plans.change_plan(
            env.board, CUSTOMER, claim.task_id, PlanRevision(bound, [draft], "고침")
        )
    with pytest.raises(Invalid):
        directives.issue_directive(
            env.board, PM, claim.task_id, DirectiveRequest("change", "고침", bound)
        )
    assert kinds(env) == before


@pytest.mark.slow
def test_what_has_no_plan_or_has_ended_cannot_be_changed(env: BoardEnv) -> None:
    claim = env.create_parsed_task()
    with pytest.raises((Stale, Refused)):
        change(env, claim, SECOND)
    claim = running(env, FIRST, done=1)
    tasks.complete(env.board, claim, "끝")
    with pytest.raises(IllegalMove):
        change(env, claim, SECOND)


@pytest.mark.slow
def test_an_approval_and_a_change_at_once_never_leave_an_unseen_plan_approved(
    env: BoardEnv,
) -> None:
    with ThreadPoolExecutor(2) as threads:
        for _ in range(12):
            claim, _, bound = env.create_filed_plan(made(FIRST))
            both = [
                threads.submit(approve, env, claim, bound),
                threads.submit(change, env, claim, SECOND),
            ]
            assert all(isinstance(b.exception(), Stale | None) for b in both)
            found = view.plan_state(env.board, claim.task_id)
            if found.plan_hash != bound:
                assert view.task(env.board, claim.task_id).state is State.PENDING_APPROVAL
                with pytest.raises(Stale):
                    tasks.begin_execution(env.board, claim)
            with psycopg.connect(env.dsn) as connection:  # so that it is not claimed again
                connection.execute("update tb_ops_task set paused = true")


# While it runs -------------------------------------------------------------------------------


@pytest.mark.slow
def test_running_work_is_taken_from_its_agent_and_undone_before_anyone_is_asked(
    env: BoardEnv,
) -> None:
    claim = running(env, FIRST, done=1)
    assert change(env, claim, SECOND) is State.IN_PROGRESS
    with pytest.raises(Stale):
        tasks.complete(env.board, claim, "끝")
    with pytest.raises(IllegalMove):
        change(env, claim, THIRD)
    found = undo(env, restored=1)
    assert found.kept == 0
    assert view.task(env.board, claim.task_id).state is State.PENDING_APPROVAL
    assert calls_of(filed(env, claim)) == [SECOND]
    bound = view.plan_state(env.board, claim.task_id).plan_hash or ""
    approve(env, claim, bound)
    grant = tasks.begin_execution(env.board, env.claim("db-agent"))
    commands.record_intent(env.board, grant, SECOND, "…", PlanStep(0, "do"))


@pytest.mark.slow
def test_what_both_plans_begin_with_is_kept_and_not_done_again(env: BoardEnv) -> None:
    claim = running(env, FIRST, SECOND, done=2)
    change(env, claim, FIRST, THIRD)
    found = undo(env, restored=1)
    assert found.kept == 1
    bound = view.plan_state(env.board, claim.task_id).plan_hash or ""
    approve(env, claim, bound)
    again = env.claim("db-agent")
    grant = tasks.begin_execution(env.board, again)
    assert commands.attempted_actions(env.board, again, bound) == {(0, "do"): "DONE"}
    with pytest.raises(Refused, match="이미"):
        commands.record_intent(env.board, grant, FIRST, "…", PlanStep(0, "do"))
    commands.record_intent(env.board, grant, THIRD, "…", PlanStep(1, "do"))


@pytest.mark.slow
def test_what_cannot_be_undone_goes_to_people_and_the_changed_plan_is_not_asked(
    env: BoardEnv,
) -> None:
    claim = running(env, RESTART, done=1)
    change(env, claim, SECOND)
    undo(env, lost=["- 재시작"])
    assert view.task(env.board, claim.task_id).state is State.MANUAL
    assert calls_of(filed(env, claim)) == [RESTART]
    assert rows(env, "select count(*) from tb_outbox where kind = 'alert'") == [(1,)]
    # It is still in the audit log, and a person may file it once the server is as it should be.
    assert change(env, claim, SECOND) is State.PENDING_APPROVAL


@pytest.mark.slow
def test_the_kill_switch_outranks_a_change_and_keeps_nothing(env: BoardEnv) -> None:
    claim = running(env, FIRST, SECOND, done=2)
    change(env, claim, FIRST, THIRD)
    begun = beats.begin(env.board, "db-agent")
    assert begun is not None
    order = rollback.claim_rollback(env.board, begun)
    assert order is not None
    found = rollback.grant_rollback(env.board, order)
    assert found.kept == 1
    kill_switch.kill(env.board, LEAD, "모두 멈춤")
    assert (
        rollback.finish_rollback(env.board, order, ["- 로그"], [], found.kept) is State.IN_PROGRESS
    )
    beats.end(env.board, begun, "order", task_id=None, steps=1)
    assert undo(env, restored=2).kept == 0
    assert view.task(env.board, claim.task_id).state is State.FAILED_ROLLBACK
    assert [s.outcome for s in kill_switch.stopped_tasks(env.board, 1)] == ["RESTORED"]


# A forced action -----------------------------------------------------------------------------


def force(env: BoardEnv, sr_id: int, **other: object) -> int:
    given = {
        "person": PM,
        "server": "MOF-DB-01",
        "draft": ActionDraft.of(RESTART),
        "reason": "긴급",
    }
    words = {**given, **other}
    return manual_plans.force_action(env.board, words.pop("person"), sr_id, **words)  # type: ignore[arg-type]


def test_a_forced_action_is_a_task_of_its_own_with_its_own_approvals(env: BoardEnv) -> None:
    sr_id = env.create_issue()
    task_id = force(env, sr_id)
    [mine] = [p for p in pending.pending_plans(env.board, sr_id) if p.task_id == task_id]
    assert (mine.plan.category, mine.role) == ("FORCED", "team_lead")
    assert "긴급" in mine.plan.because and mine.plan.actions[0].verify
    with pytest.raises(Forbidden):
        decisions.decide(env.board, PM, task_id, approve=True, plan_hash=mine.plan_hash)
    for person in (LEAD, OFFICER):
        decisions.decide(env.board, person, task_id, approve=True, plan_hash=mine.plan_hash)
    claim = env.claim("db-agent")
    assert claim.task_id == task_id and view.task(env.board, task_id).has_manual_plan
    grant = tasks.begin_execution(env.board, claim)
    commands.record_intent(env.board, grant, RESTART, "…", PlanStep(0, "do"))
    found = kinds(env)
    assert found[found.index("ordered") :][:2] == ["ordered", "planned"]
    assert rows(env, "select verb, reason, ordered_by from tb_directive") == [
        ("force", "긴급", "person:pm")
    ]


def test_forcing_an_action_needs_permission_and_a_reason(env: BoardEnv) -> None:
    sr_id = env.create_issue()
    before = kinds(env)
    for person in (CUSTOMER, ENGINEER):
        with pytest.raises(Forbidden):
            force(env, sr_id, person=person)
    with pytest.raises(Invalid):
        force(env, sr_id, reason=" ")
    with pytest.raises(NotFound):
        force(env, sr_id, server="nowhere")
    with pytest.raises(NotFound):
        force(env, 999)
    with pytest.raises(Refused):
        force(env, sr_id, draft=ActionDraft("service.health", {"service": "budgetdb"}))
    with pytest.raises(Invalid):
        force(env, sr_id, draft=ActionDraft("service.restart", {"service": "$(reboot)"}))
    with pytest.raises(Refused):
        board = replace(env.board, planner=NoPlanner())
        manual_plans.force_action(board, PM, sr_id, "MOF-DB-01", ActionDraft.of(RESTART), "긴급")
    assert kinds(env) == before


@pytest.mark.slow
def test_a_chart_without_a_forced_policy_allows_no_forced_action(env: BoardEnv) -> None:
    text = chart.shipped_chart_path().read_text("utf-8")
    line = next(x for x in text.splitlines() if x.strip().startswith("FORCED:"))
    sr_id = env.create_issue()
    organization_chart.apply_chart(env.board, text.replace(line, ""), Actor.operator("test"))
    with pytest.raises(Invalid):
        force(env, sr_id)
    with pytest.raises(Exception, match="FORCED"):
        chart.parse(text.replace(line, "  FORCED: []"))
    assert rows(env, "select count(*) from tb_ops_task") == [(1,)]


@pytest.mark.slow
def test_a_forced_action_that_is_done_can_be_rolled_back(env: BoardEnv) -> None:
    sr_id = env.create_issue()
    task_id = force(env, sr_id, draft=ActionDraft.of(FIRST))
    bound = view.plan_state(env.board, task_id).plan_hash or ""
    for person in (LEAD, OFFICER):
        decisions.decide(env.board, person, task_id, approve=True, plan_hash=bound)
    claim = env.claim("db-agent")
    grant = tasks.begin_execution(env.board, claim)
    commands.record_result(
        env.board, commands.record_intent(env.board, grant, FIRST, "…", PlanStep(0, "do")), GOOD
    )
    tasks.complete(env.board, claim, "끝")
    directives.issue_directive(
        env.board, LEAD, task_id, DirectiveRequest("rollback", "되돌려 주세요")
    )
    undo(env, restored=1)
    assert view.task(env.board, task_id).state is State.ROLLED_BACK


def test_proposals_for_people_and_agents_are_the_same(env: BoardEnv) -> None:
    planner = env.board.planner
    for call in (FIRST, RESTART):
        action: Action = planner.build_action(ActionDraft.of(call), HOST, "MAINTENANCE")
        assert action == catalogue.propose(call, HOST)
    offered = {offer.tool: offer.arguments for offer in planner.options()}
    assert offered["service.restart"] == ("service",) and "service.health" not in offered
