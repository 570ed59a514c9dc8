"""One change per server at a time: others wait, go on by themselves, and people can override."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest
from board_env import ENGINEER, LEAD, BoardEnv, assignment, plan
from sqlalchemy import select

from guardia.board.approvals import deadlines, decisions
from guardia.board.audit.model import AuditEntry
from guardia.board.control import directives, rollback
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core import server_queue
from guardia.board.core.actors import Actor
from guardia.board.core.claims import Claim
from guardia.board.core.lifecycle import State
from guardia.board.core.model import ActionRun, Task
from guardia.board.core.plan import Plan
from guardia.board.core.run_model import ServerWait
from guardia.board.execution import assignments, grants, tasks, view
from guardia.board.organization import agent_control
from guardia.board.runs import beats
from guardia.board.tracker import issue_page
from guardia.errors import Forbidden, Missing, ServerBusy


def approved(env: BoardEnv, agent: str = "db-agent", given: Plan | None = None) -> int:
    """Return a new approved task on the database server, in an issue of its own."""
    claim, filed = parsed(env, agent), given or plan()
    tasks.file_plan(env.board, claim, filed)
    bound = tasks.plan_hash(claim.task_id, filed)
    decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=bound)
    return claim.task_id


def parsed(env: BoardEnv, agent: str) -> Claim:
    """Return an agent's claim on a new task on the database server."""
    env.create_issue()
    triage = replace(assignment("MOF-DB-01"), agent_id=agent)
    assignments.file_triage(env.board, env.claim("dispatcher"), triage)
    return env.claim(agent)


def start(env: BoardEnv, agent: str = "db-agent") -> Claim:
    """Begin the next task of an agent and return its claim."""
    claim = env.claim(agent)
    tasks.begin_execution(env.board, claim)
    return claim


def waiting(env: BoardEnv) -> dict[int, int | None]:
    with env.board.database.reading() as session:
        return {r.task_id: r.holder_id for r in session.scalars(select(ServerWait))}


def busy(env: BoardEnv, agent: str) -> str:
    """Return why the next task of an agent waits, at the end of its beat."""
    begun = beats.begin(env.board, agent)
    assert begun is not None
    claim = beats.claim_task(env.board, begun)
    assert claim is not None
    with pytest.raises(ServerBusy) as refused:
        tasks.begin_execution(env.board, claim)
    beats.end(env.board, begun, "stale", task_id=claim.task_id, steps=0)
    return str(refused.value)


def state(env: BoardEnv, task_id: int) -> State:
    return view.task(env.board, task_id).state


@pytest.mark.slow
def test_the_second_waits_visibly_and_goes_on_when_the_first_ends(env: BoardEnv) -> None:
    first, second = approved(env), approved(env, "was-agent")
    claim = start(env)
    assert busy(env, "was-agent") == "SR-1 변경이 끝나면 시작합니다."
    assert state(env, second) is State.APPROVED
    assert view.task(env.board, second).is_waiting
    assert issue_page.get_issue(env.board, LEAD, 2).tasks[0].waits_for == "SR-1"
    with env.board.database.reading() as session:
        query = select(AuditEntry).where(AuditEntry.kind == "server_waited")
        assert session.scalars(query).one().task_id == second
    # Nothing is polled: there is no work for it until the first has ended.
    assert beats.begin(env.board, "was-agent") is None
    tasks.complete(env.board, claim, "끝")
    assert state(env, first) is State.COMPLETED
    assert start(env, "was-agent").task_id == second
    assert waiting(env) == {}


@pytest.mark.slow
@pytest.mark.parametrize("end", ["fail", "hand_over", "manual", "abort"])
def test_whatever_ends_the_first_lets_the_second_go_on(env: BoardEnv, end: str) -> None:
    first = approved(env)
    approved(env, "was-agent")
    claim = start(env)
    busy(env, "was-agent")
    if end in ("fail", "hand_over"):
        getattr(tasks, end)(env.board, claim, "끝")
    else:
        directives.issue_directive(env.board, LEAD, first, DirectiveRequest(end, "지시"))
    if end == "abort":
        assert beats.begin(env.board, "was-agent") is None, "undoing work holds the server"
        begun = beats.begin(env.board, "db-agent")
        assert begun is not None
        undo = rollback.claim_rollback(env.board, begun)
        assert undo is not None
        rollback.finish_rollback(env.board, undo, [], [])
    start(env, "was-agent")


@pytest.mark.slow
def test_the_rollback_of_a_completed_change_waits_for_the_running_one(env: BoardEnv) -> None:
    first = approved(env, given=undoable())
    claim = start(env)
    record_change(env, first)
    tasks.complete(env.board, claim, "끝")
    approved(env, "was-agent")
    running = start(env, "was-agent")
    directives.issue_directive(env.board, LEAD, first, DirectiveRequest("rollback", "원복"))
    begun = beats.begin(env.board, "db-agent")
    assert begun is not None and rollback.claim_rollback(env.board, begun) is None
    third = approved(env, "sec-agent")
    tasks.complete(env.board, running, "끝")
    begun = beats.begin(env.board, "db-agent")
    assert begun is not None
    undo = rollback.claim_rollback(env.board, begun)
    assert undo is not None and undo.claim.task_id == first
    assert "SR-1" in busy(env, "sec-agent")
    rollback.finish_rollback(env.board, undo, [], [])
    assert start(env, "sec-agent").task_id == third


def undoable() -> Plan:
    action = plan().actions[0]
    back = action.model_copy(update={"irreversible": None, "undo": action.call})
    return plan("MAINTENANCE", back)


def record_change(env: BoardEnv, task_id: int) -> None:
    with env.board.database.transaction() as session:
        task = session.get(Task, task_id)
        assert task is not None
        now = env.board.clock()
        session.add(
            ActionRun(
                task_id=task_id,
                plan_hash=task.plan_hash,
                ordinal=0,
                phase="do",
                state="DONE",
                fence=task.fence,
                intent_at=now,
                result_at=now,
            )
        )


def test_reads_and_plans_without_a_change_are_free(env: BoardEnv) -> None:
    approved(env)
    start(env)
    reading = parsed(env, "was-agent")
    assert grants.grant_reads(env.board, reading).server_id == "MOF-DB-01"
    empty = plan("READ_ONLY").model_copy(update={"actions": ()})
    assert tasks.file_plan(env.board, reading, empty)
    assert start(env, "was-agent").task_id == reading.task_id


@pytest.mark.slow
def test_another_server_is_free(env: BoardEnv) -> None:
    approved(env)
    start(env)
    task_id = approved(env, "was-agent")
    with psycopg.connect(env.dsn) as connection:
        connection.execute(
            "update tb_ops_task set target_server = 'MOF-WAS-01' where task_id = %s", [task_id]
        )
    with env.board.database.transaction() as session:
        task = session.get(Task, task_id)
        assert task is not None
        assert server_queue.enter(session, task, env.board.clock())[0] is None


@pytest.mark.slow
def test_the_queue_is_fair_by_time(env: BoardEnv) -> None:
    approved(env)
    second, third = approved(env, "was-agent"), approved(env, "sec-agent")
    claim = start(env)
    busy(env, "sec-agent")
    busy(env, "was-agent")
    tasks.complete(env.board, claim, "끝")
    assert "SR-3" in busy(env, "was-agent")
    ahead = start(env, "sec-agent")
    assert ahead.task_id == third
    tasks.complete(env.board, ahead, "끝")
    assert start(env, "was-agent").task_id == second


@pytest.mark.slow
@pytest.mark.parametrize("hold_up", ["task", "agent"])
def test_a_paused_one_ahead_holds_no_one_up(env: BoardEnv, hold_up: str) -> None:
    approved(env)
    second, third = approved(env, "was-agent"), approved(env, "sec-agent")
    claim = start(env)
    busy(env, "was-agent")
    busy(env, "sec-agent")
    tasks.complete(env.board, claim, "끝")
    assert "SR-2" in busy(env, "sec-agent")
    if hold_up == "task":
        directives.issue_directive(env.board, LEAD, second, DirectiveRequest("pause"))
    else:
        agent_control.pause(env.board, "was-agent", Actor.operator("test"))
        assert deadlines.process_due(env.board) == 1
    assert start(env, "sec-agent").task_id == third


@pytest.mark.slow
def test_a_person_can_override_with_a_reason_and_it_is_audited(env: BoardEnv) -> None:
    approved(env)
    second = approved(env, "was-agent")
    start(env)
    busy(env, "was-agent")
    detail = issue_page.get_issue(env.board, LEAD, 2).tasks[0]
    assert "override" in detail.available_directives
    request = DirectiveRequest("override", "두 변경은 서로 무관함")
    with pytest.raises(Forbidden):
        directives.issue_directive(env.board, ENGINEER, second, request)
    with pytest.raises(Missing):
        directives.issue_directive(env.board, LEAD, second, DirectiveRequest("override"))
    directives.issue_directive(env.board, LEAD, second, request)
    assert start(env, "was-agent").task_id == second
    with env.board.database.reading() as session:
        entry = session.scalars(
            select(AuditEntry).where(AuditEntry.kind == "ordered").order_by(AuditEntry.seq.desc())
        ).first()
        assert entry is not None and entry.detail["verb"] == "override"
        assert entry.detail["holder"] and entry.detail["reason"] == "두 변경은 서로 무관함"


@pytest.mark.slow
def test_of_two_that_start_at_the_same_moment_one_waits(env: BoardEnv) -> None:
    for _ in range(5):
        approved(env)
        approved(env, "was-agent")
        claims = []
        for agent in ("db-agent", "was-agent"):
            begun = beats.begin(env.board, agent)
            assert begun is not None
            claim = beats.claim_task(env.board, begun)
            assert claim is not None
            claims.append(claim)
        together = threading.Barrier(2)

        def act(claim: Claim, together: threading.Barrier = together) -> bool:
            together.wait()
            try:
                tasks.begin_execution(env.board, claim)
            except ServerBusy:
                return False
            return True

        with ThreadPoolExecutor(2) as threads:
            began = list(threads.map(act, claims))
        assert sorted(began) == [False, True]
        winner = claims[began.index(True)]
        other = ("was-agent", "db-agent")[began.index(True)]
        tasks.complete(env.board, winner, "끝")
        tasks.complete(env.board, start(env, other), "끝")
