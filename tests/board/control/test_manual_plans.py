"""What people plan: another plan for a task in any of its states, and one forced action."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest
from cast import CUSTOMER, ENGINEER, LEAD, LEAD2, OFFICER, PM, SERVER, Cast, plan

from guardia.board.approvals import decisions, pending
from guardia.board.audit import log
from guardia.board.control import directives, kill_switch, manual_plans, undoing
from guardia.board.control.directives import Wish
from guardia.board.control.manual_plans import Revision
from guardia.board.control.undoing import Undoing
from guardia.board.core.claims import Hold
from guardia.board.core.lifecycle import State
from guardia.board.core.plan import Action, Call, Plan
from guardia.board.core.planner import Draft
from guardia.board.execution import commands, tasks, view
from guardia.board.execution.commands import Outcome, Step
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
GOOD = Outcome(True, {}, "", 1)


def level(to: str, before: str) -> Call:
    args = {"service": "budgetdb", "level": to, "previous": before}
    return Call(tool="service.set_log_level", args=args)


FIRST, SECOND, THIRD = level("INFO", "DEBUG"), level("WARN", "INFO"), level("ERROR", "INFO")
RESTART = Call(tool="service.restart", args={"service": "budgetdb"})


@pytest.fixture
def board(cast: Cast) -> Cast:
    """The cast with a server that has what the catalogue's tools need."""
    organization_chart.enrol(cast.desk, Directory(servers=(HOST,)), {})
    return cast


def made(*calls: Call) -> Plan:
    return plan("MAINTENANCE", *(catalogue.propose(call, HOST) for call in calls))


def approve(board: Cast, hold: Hold, bound: str) -> None:
    decisions.decide(board.desk, LEAD, hold.task_id, approve=True, plan_hash=bound)


def running(board: Cast, *calls: Call, done: int = 0) -> Hold:
    """A task under way, so many of whose actions have been carried out."""
    hold, filed, bound = board.planned(made(*calls))
    approve(board, hold, bound)
    hold = board.hold("db-agent")
    grant = tasks.start(board.desk, hold)
    for ordinal, action in enumerate(filed.actions[:done]):
        intent = commands.intend(board.desk, grant, action.call, "…", Step(ordinal, "do"))
        commands.conclude(board.desk, intent, GOOD)
    return hold


def change(board: Cast, hold: Hold, *calls: Call, reason: str = "값을 고침") -> State:
    bound = view.plan_state(board.desk, hold.task_id).plan_hash or ""
    revision = Revision(bound, [Draft.of(call) for call in calls], reason)
    return manual_plans.change(board.desk, PM, hold.task_id, revision)


def filed(board: Cast, hold: Hold) -> Plan:
    found = view.plan_state(board.desk, hold.task_id).plan
    assert found is not None
    return found


def calls_of(found: Plan) -> list[Call]:
    return [action.call for action in found.actions]


def rows(board: Cast, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(board.dsn) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def kinds(board: Cast) -> list[str]:
    with board.desk.database.reading() as session:
        assert log.verify_all(session).intact
        return [link.kind for link in log.links(session)]


def undo(board: Cast, *, restored: int = 0, lost: list[str] | None = None) -> Undoing:
    """What the agent's next beat does about an order."""
    begun = beats.begin(board.desk, "db-agent")
    assert begun is not None and "order" in begun.reasons
    order = undoing.claim(board.desk, begun)
    assert order is not None
    found = undoing.grant(board.desk, order)
    undoing.end(board.desk, order, ["- 로그"] * restored, lost or [], found.kept)
    beats.end(board.desk, begun, "order", task_id=None, steps=1)
    return found


# Before it runs ------------------------------------------------------------------------------


def waiting(board: Cast) -> Hold:
    return board.planned(made(FIRST))[0]


def approved(board: Cast) -> Hold:
    hold, _, bound = board.planned(made(FIRST))
    approve(board, hold, bound)
    return hold


def sent_back(board: Cast) -> Hold:
    hold, _, bound = board.planned(made(FIRST))
    decisions.ask_changes(board.desk, LEAD, hold.task_id, plan_hash=bound, reason="다시")
    return hold


def taken_over(board: Cast) -> Hold:
    hold = running(board, FIRST)
    directives.give(board.desk, LEAD, hold.task_id, Wish("manual"))
    return hold


def paused(board: Cast) -> Hold:
    hold = waiting(board)
    directives.give(board.desk, LEAD, hold.task_id, Wish("pause"))
    return hold


@pytest.mark.parametrize("begin", [waiting, approved, sent_back, taken_over, paused])
def test_a_changed_plan_is_concrete_asked_anew_and_its_author_has_no_say(
    board: Cast, begin: object
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
        tasks.start(board.desk, hold)
    with pytest.raises(Stale):
        decisions.decide(board.desk, LEAD, hold.task_id, approve=True, plan_hash=before or "")
    with pytest.raises(Forbidden):
        decisions.decide(board.desk, PM, hold.task_id, approve=True, plan_hash=state.plan_hash)
    approve(board, hold, state.plan_hash)
    assert kinds(board)[-3:] == ["ordered", "planned", "approved"]
    if begin is not paused:
        assert view.task(board.desk, hold.task_id).written
        assert tasks.start(board.desk, board.hold("db-agent")).plan_hash == state.plan_hash


def test_the_author_of_a_changed_plan_cannot_fill_a_step_of_it(board: Cast) -> None:
    hold = waiting(board)
    bound = view.plan_state(board.desk, hold.task_id).plan_hash or ""
    manual_plans.change(board.desk, LEAD, hold.task_id, Revision(bound, [Draft.of(SECOND)], "고침"))
    fresh = view.plan_state(board.desk, hold.task_id).plan_hash or ""
    with pytest.raises(Forbidden, match="작성"):
        decisions.decide(board.desk, LEAD, hold.task_id, approve=True, plan_hash=fresh)
    assert decisions.decide(board.desk, LEAD2, hold.task_id, approve=True, plan_hash=fresh)


WRONG = {
    "an unknown tool": (Draft("service.explode", {}), Refused),
    "a read": (Draft("service.health", {"service": "budgetdb"}), Refused),
    "more than was asked": (
        Draft("deploy.activate", {"service": "budgetdb", "version": "2", "previous": "1"}),
        Refused,
    ),
    "a service that is not there": (Draft("service.restart", {"service": "other"}), Refused),
    "shell": (Draft("service.restart", {"service": "budgetdb; reboot"}), Invalid),
    "a missing argument": (Draft("service.set_log_level", {"service": "budgetdb"}), Invalid),
    "an argument of another": (Draft("service.restart", {"service": "a", "pid": "1"}), Invalid),
    "what is there already": (Draft.of(FIRST), Invalid),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_hold_is_refused_and_nothing_is_changed(board: Cast, case: str) -> None:
    draft, fault = WRONG[case]
    hold = waiting(board)
    before, bound = kinds(board), view.plan_state(board.desk, hold.task_id).plan_hash or ""
    with pytest.raises(fault):
        manual_plans.change(board.desk, PM, hold.task_id, Revision(bound, [draft], "고침"))
    for nothing in (Revision(bound, [], "고침"), Revision(bound, [Draft.of(SECOND)], "  ")):
        with pytest.raises(Invalid):
            manual_plans.change(board.desk, PM, hold.task_id, nothing)
    with pytest.raises(Stale):
        manual_plans.change(board.desk, PM, hold.task_id, Revision("0", [Draft.of(SECOND)], "고침"))
    with pytest.raises(Forbidden):
        manual_plans.change(board.desk, CUSTOMER, hold.task_id, Revision(bound, [draft], "고침"))
    with pytest.raises(Invalid):
        directives.give(board.desk, PM, hold.task_id, Wish("change", "고침", bound))
    assert kinds(board) == before


def test_what_has_no_plan_or_has_ended_cannot_be_changed(board: Cast) -> None:
    hold = board.parsed()
    with pytest.raises((Stale, Refused)):
        change(board, hold, SECOND)
    hold = running(board, FIRST, done=1)
    tasks.complete(board.desk, hold, "끝")
    with pytest.raises(IllegalMove):
        change(board, hold, SECOND)


def test_an_approval_and_a_change_at_once_never_leave_an_unseen_plan_approved(board: Cast) -> None:
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
                    tasks.start(board.desk, hold)
            with psycopg.connect(board.dsn) as connection:  # so that it is not claimed again
                connection.execute("update tb_ops_task set paused = true")


# While it runs -------------------------------------------------------------------------------


def test_running_work_is_taken_from_its_agent_and_undone_before_anyone_is_asked(
    board: Cast,
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
    grant = tasks.start(board.desk, board.hold("db-agent"))
    commands.intend(board.desk, grant, SECOND, "…", Step(0, "do"))


def test_what_both_plans_begin_with_is_kept_and_not_done_again(board: Cast) -> None:
    hold = running(board, FIRST, SECOND, done=2)
    change(board, hold, FIRST, THIRD)
    found = undo(board, restored=1)
    assert found.kept == 1
    bound = view.plan_state(board.desk, hold.task_id).plan_hash or ""
    approve(board, hold, bound)
    again = board.hold("db-agent")
    grant = tasks.start(board.desk, again)
    assert commands.attempts(board.desk, again, bound) == {(0, "do"): "DONE"}
    with pytest.raises(Refused, match="이미"):
        commands.intend(board.desk, grant, FIRST, "…", Step(0, "do"))
    commands.intend(board.desk, grant, THIRD, "…", Step(1, "do"))


def test_what_cannot_be_undone_goes_to_people_and_the_changed_plan_is_not_asked(
    board: Cast,
) -> None:
    hold = running(board, RESTART, done=1)
    change(board, hold, SECOND)
    undo(board, lost=["- 재시작"])
    assert view.task(board.desk, hold.task_id).state is State.MANUAL
    assert calls_of(filed(board, hold)) == [RESTART]
    assert rows(board, "select count(*) from tb_outbox where kind = 'alert'") == [(1,)]
    # It is still in the record, and a person may file it once the server is as it should be.
    assert change(board, hold, SECOND) is State.PENDING_APPROVAL


def test_the_kill_switch_outranks_a_change_and_keeps_nothing(board: Cast) -> None:
    hold = running(board, FIRST, SECOND, done=2)
    change(board, hold, FIRST, THIRD)
    begun = beats.begin(board.desk, "db-agent")
    assert begun is not None
    order = undoing.claim(board.desk, begun)
    assert order is not None
    found = undoing.grant(board.desk, order)
    assert found.kept == 1
    kill_switch.kill(board.desk, LEAD, "모두 멈춤")
    assert undoing.end(board.desk, order, ["- 로그"], [], found.kept) is State.IN_PROGRESS
    beats.end(board.desk, begun, "order", task_id=None, steps=1)
    assert undo(board, restored=2).kept == 0
    assert view.task(board.desk, hold.task_id).state is State.FAILED_ROLLBACK
    assert [s.outcome for s in kill_switch.report(board.desk, 1)] == ["RESTORED"]


# A forced action -----------------------------------------------------------------------------


def force(board: Cast, sr_id: int, **other: object) -> int:
    given = {"person": PM, "server": "MOF-DB-01", "draft": Draft.of(RESTART), "reason": "긴급"}
    words = {**given, **other}
    return manual_plans.force(board.desk, words.pop("person"), sr_id, **words)  # type: ignore[arg-type]


def test_a_forced_action_is_a_task_of_its_own_with_its_own_approvals(board: Cast) -> None:
    sr_id = board.received()
    task_id = force(board, sr_id)
    [mine] = [p for p in pending.waiting_plans(board.desk, sr_id) if p.task_id == task_id]
    assert (mine.plan.category, mine.role) == ("FORCED", "team_lead")
    assert "긴급" in mine.plan.because and mine.plan.actions[0].verify
    with pytest.raises(Forbidden):
        decisions.decide(board.desk, PM, task_id, approve=True, plan_hash=mine.plan_hash)
    for person in (LEAD, OFFICER):
        decisions.decide(board.desk, person, task_id, approve=True, plan_hash=mine.plan_hash)
    hold = board.hold("db-agent")
    assert hold.task_id == task_id and view.task(board.desk, task_id).written
    grant = tasks.start(board.desk, hold)
    commands.intend(board.desk, grant, RESTART, "…", Step(0, "do"))
    found = kinds(board)
    assert found[found.index("ordered") :][:2] == ["ordered", "planned"]
    assert rows(board, "select verb, reason, ordered_by from tb_directive") == [
        ("force", "긴급", "person:pm")
    ]


def test_who_has_not_the_right_or_gives_no_reason_forces_nothing(board: Cast) -> None:
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
        force(board, sr_id, draft=Draft("service.health", {"service": "budgetdb"}))
    with pytest.raises(Invalid):
        force(board, sr_id, draft=Draft("service.restart", {"service": "$(reboot)"}))
    with pytest.raises(Refused):
        desk = replace(board.desk, planner=None)
        manual_plans.force(desk, PM, sr_id, "MOF-DB-01", Draft.of(RESTART), "긴급")
    assert kinds(board) == before


def test_a_chart_that_knows_no_forced_actions_allows_none(board: Cast) -> None:
    text = chart.shipped().read_text("utf-8")
    line = next(x for x in text.splitlines() if x.strip().startswith("FORCED:"))
    sr_id = board.received()
    organization_chart.apply_chart(board.desk, text.replace(line, ""), "operator:test")
    with pytest.raises(Invalid):
        force(board, sr_id)
    with pytest.raises(Exception, match="FORCED"):
        chart.parse(text.replace(line, "  FORCED: []"))
    assert rows(board, "select count(*) from tb_ops_task") == [(1,)]


def test_a_forced_action_that_is_done_can_be_rolled_back(board: Cast) -> None:
    sr_id = board.received()
    task_id = force(board, sr_id, draft=Draft.of(FIRST))
    bound = view.plan_state(board.desk, task_id).plan_hash or ""
    for person in (LEAD, OFFICER):
        decisions.decide(board.desk, person, task_id, approve=True, plan_hash=bound)
    hold = board.hold("db-agent")
    grant = tasks.start(board.desk, hold)
    commands.conclude(
        board.desk, commands.intend(board.desk, grant, FIRST, "…", Step(0, "do")), GOOD
    )
    tasks.complete(board.desk, hold, "끝")
    directives.give(board.desk, LEAD, task_id, Wish("rollback", "되돌려 주세요"))
    undo(board, restored=1)
    assert view.task(board.desk, task_id).state is State.ROLLED_BACK


def test_proposals_for_people_and_agents_are_the_same(board: Cast) -> None:
    planner = board.desk.planner
    assert planner is not None
    for call in (FIRST, RESTART):
        action: Action = planner.action(Draft.of(call), HOST, "MAINTENANCE")
        assert action == catalogue.propose(call, HOST)
    offered = {offer.tool: offer.arguments for offer in planner.offers()}
    assert offered["service.restart"] == ("service",) and "service.health" not in offered
