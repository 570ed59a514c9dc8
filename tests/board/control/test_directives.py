"""Tests of directives and of the rollbacks that they start."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import psycopg
import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, PM, BoardEnv, action, assignment, plan
from waiting import PATIENCE

from guardia.board.approvals import decisions
from guardia.board.audit import log
from guardia.board.control import directives, kill_switch, rollback
from guardia.board.control.directive_handlers import VERBS
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core.actors import Actor
from guardia.board.core.claims import Claim
from guardia.board.core.lifecycle import TRANSITIONS, Move, State
from guardia.board.core.plan import Action, Risk, ToolCall
from guardia.board.execution import assignments, commands, grants, tasks
from guardia.board.execution.commands import CommandResult, PlanStep
from guardia.board.organization import agent_control
from guardia.board.runs import beats
from guardia.errors import Forbidden, IllegalMove, Invalid, NotFound, Refused, Stale

READ = ToolCall(tool="database.locks", args={"service": "budgetdb"})
GOOD = CommandResult(True, {"waiting": 0}, "출력", 3)
INFO = {"service": "budgetdb", "level": "INFO", "previous": "DEBUG"}
DEBUG = {"service": "budgetdb", "level": "DEBUG", "previous": "INFO"}
LEVEL = Action(
    call=ToolCall(tool="service.set_log_level", args=INFO),
    risk=Risk.CHANGE,
    effect="로그 수준 변경",
    command="…",
    undo=ToolCall(tool="service.set_log_level", args=DEBUG),
)


def started(env: BoardEnv, *actions: Action) -> Claim:
    held, _, bound = env.create_filed_plan(plan("MAINTENANCE", *actions))
    decisions.decide(env.board, LEAD, held.task_id, approve=True, plan_hash=bound)
    again = env.claim("db-agent")
    tasks.begin_execution(env.board, again)
    return again


def completed(env: BoardEnv, *actions: Action) -> Claim:
    claim = started(env, *actions)
    grant = grants.execution_grant(env.board, claim)
    for number, one in enumerate(actions or (action(),)):
        intent = commands.record_intent(env.board, grant, one.call, "…", PlanStep(number, "do"))
        commands.record_result(env.board, intent, GOOD)
    tasks.complete(env.board, claim, "끝")
    return claim


def give(env: BoardEnv, claim: Claim, verb: str, reason: str = "사유", argument: str = "") -> State:
    return directives.issue_directive(
        env.board, LEAD, claim.task_id, DirectiveRequest(verb, reason, argument)
    )


def change(env: BoardEnv, claim: Claim) -> State:
    bound = tasks.plan_hash(claim.task_id, plan("MAINTENANCE", LEVEL))
    request = DirectiveRequest("change", "값을 고침", bound, plan("MAINTENANCE", LEVEL, LEVEL))
    return directives.issue_directive(env.board, PM, claim.task_id, request)


def one(env: BoardEnv, query: str) -> object:
    with psycopg.connect(env.dsn) as connection:
        row = connection.execute(query).fetchone()  # type: ignore[arg-type]
    return row[0] if row and len(row) == 1 else row


def test_a_task_that_has_not_begun_is_aborted_and_its_approvals_are_void(env: BoardEnv) -> None:
    claim, _, bound = env.create_filed_plan()
    assert give(env, claim, "abort") is State.ABORTED
    assert one(env, "select state from tb_approval") == "VOID"
    with pytest.raises(Stale):
        decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=bound)


def test_a_running_one_is_undone_by_its_agent(env: BoardEnv) -> None:
    claim = started(env, LEVEL)
    assert give(env, claim, "abort") is State.IN_PROGRESS
    with pytest.raises(IllegalMove):
        give(env, claim, "abort")
    begun = beats.begin(env.board, "db-agent")
    assert begun is not None and "order" in begun.reasons
    order = rollback.claim_rollback(env.board, begun)
    assert order is not None and order.claim.task_id == claim.task_id
    assert rollback.finish_rollback(env.board, order, [], []) is State.FAILED_ROLLBACK


def test_a_paused_task_is_not_claimed_until_it_is_resumed(env: BoardEnv) -> None:
    claim = env.create_parsed_task()
    give(env, claim, "pause")
    begun = beats.begin(env.board, "db-agent")
    assert begun is None or beats.claim_task(env.board, begun) is None
    with pytest.raises(Stale):
        tasks.file_plan(env.board, claim, plan())
    give(env, claim, "resume")
    assert env.claim("db-agent").task_id == claim.task_id


def test_a_person_takes_over_does_it_by_hand_and_closes_it(env: BoardEnv) -> None:
    claim = started(env)
    request = DirectiveRequest("manual", "직접 처리")
    assert directives.issue_directive(env.board, ENGINEER, claim.task_id, request) is State.MANUAL
    assert one(env, "select owner_id from tb_ops_task") == "eng"
    with pytest.raises(Invalid):
        give(env, claim, "complete", reason="")
    assert give(env, claim, "complete", "세션을 정리함") is State.COMPLETED


def test_a_person_may_take_over_what_an_agent_is_undoing(env: BoardEnv) -> None:
    claim = started(env, LEVEL)
    kill_switch.kill(env.board, LEAD, "정지")
    assert give(env, claim, "manual") is State.MANUAL
    assert kill_switch.stopped_tasks(env.board, 1)[0].outcome == "NOT_RESTORED"
    begun = beats.begin(env.board, "db-agent")
    assert begun is None or rollback.claim_rollback(env.board, begun) is None


def test_returned_work_needs_new_approval_even_for_the_same_plan(env: BoardEnv) -> None:
    claim, filed, bound = env.create_filed_plan()
    give(env, claim, "manual")
    assert give(env, claim, "return") is State.PARSED
    again = env.claim("db-agent")
    assert tasks.file_plan(env.board, again, filed) is False
    with pytest.raises(Stale):
        decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=bound)


def test_a_task_without_a_server_cannot_be_returned(env: BoardEnv) -> None:
    env.create_issue()
    claim = env.claim("dispatcher")
    tasks.hand_over(env.board, claim, "서버를 모름")
    with pytest.raises(Refused):
        give(env, claim, "return")


def test_a_completed_task_is_rolled_back_by_its_agent_once_it_is_verified(env: BoardEnv) -> None:
    claim = completed(env, LEVEL)
    assert give(env, claim, "rollback") is State.COMPLETED
    begun = beats.begin(env.board, "db-agent")
    assert begun is not None
    order = rollback.claim_rollback(env.board, begun)
    assert order is not None
    grant = rollback.grant_rollback(env.board, order).grant
    assert LEVEL.undo is not None
    commands.record_intent(env.board, grant, LEVEL.undo, "…", PlanStep(0, "undo"))
    assert rollback.finish_rollback(env.board, order, ["- 로그"], []) is State.ROLLED_BACK


@pytest.mark.slow
def test_a_rollback_that_fails_is_never_silent(env: BoardEnv) -> None:
    claim = completed(env, LEVEL)
    give(env, claim, "rollback")
    begun = beats.begin(env.board, "db-agent")
    assert begun is not None
    order = rollback.claim_rollback(env.board, begun)
    assert order is not None
    assert rollback.finish_rollback(env.board, order, [], ["- 로그"]) is State.MANUAL
    assert one(env, "select count(*) from tb_outbox where kind = 'alert'") == 1


def test_what_is_irreversible_is_listed_and_refused(env: BoardEnv) -> None:
    claim = completed(env)
    with pytest.raises(Refused, match="세션 7을 끝냅니다"):
        give(env, claim, "rollback")


def test_another_agent_or_engineer_takes_it(env: BoardEnv) -> None:
    claim = env.create_parsed_task()
    give(env, claim, "reassign", argument="was-agent")
    assert env.claim("was-agent").task_id == claim.task_id
    give(env, claim, "reassign", argument="eng")
    assert one(env, "select assignee_id from tb_sr_request") == "eng"
    for nobody in ("lead", "dispatcher", "", "x"):
        with pytest.raises(Invalid):
            give(env, claim, "reassign", argument=nobody)


def test_an_urgent_one_is_claimed_first_and_running_work_is_left_running(env: BoardEnv) -> None:
    first = env.create_parsed_task()
    give(env, first, "priority", argument="p2")  # the beat has released it
    env.create_issue()
    second = env.claim("dispatcher")
    assignments.file_triage(env.board, second, assignment("MOF-DB-01"))
    give(env, second, "priority", argument="p1")
    assert env.claim("db-agent").task_id == second.task_id != first.task_id
    for claim in (first, second):
        give(env, claim, "pause")
    running = started(env)
    give(env, running, "priority", argument="P1")
    tasks.add_comment(env.board, running, "계속합니다")
    with pytest.raises(Invalid):
        give(env, running, "priority", argument="P9")


@pytest.mark.slow
def test_a_paused_agent_carries_out_rollbacks_and_nothing_else(env: BoardEnv) -> None:
    claim = started(env)
    agent_control.pause(env.board, "db-agent", Actor.operator("test"))
    agent_control.pause(env.board, "dispatcher", Actor.operator("test"))
    env.create_issue()
    assert beats.begin(env.board, "dispatcher") is None
    kill_switch.kill(env.board, LEAD, "정지")
    for _ in range(2):  # the first worker crashes
        begun = beats.begin(env.board, "db-agent")
        assert begun is not None and begun.has_work and begun.has_rollback
        order = rollback.claim_rollback(env.board, begun)
        assert order is not None and order.claim.task_id == claim.task_id
        assert beats.claim_task(env.board, begun) is None
    rollback.finish_rollback(env.board, order, ["되돌림"], [])
    beats.end(env.board, begun, "restored", task_id=claim.task_id, steps=1)
    assert beats.begin(env.board, "db-agent") is None


def test_directives_need_a_permission_and_a_known_verb(env: BoardEnv) -> None:
    claim = env.create_parsed_task()
    for verb in VERBS:
        with pytest.raises(Forbidden):
            directives.issue_directive(
                env.board, CUSTOMER, claim.task_id, DirectiveRequest(verb, "x")
            )
    with pytest.raises(Forbidden):
        directives.issue_directive(
            env.board, ENGINEER, claim.task_id, DirectiveRequest("rollback", "x")
        )
    with pytest.raises(NotFound):
        give(env, claim, "explode")
    assert one(env, "select count(*) from tb_directive") == 0


@pytest.mark.parametrize("state", State)
def test_what_is_offered_is_a_move_of_the_lifecycle(state: State) -> None:
    moves = {
        "abort": Move.ABORT,
        "manual": Move.HAND_OVER,
        "return": Move.RETURN,
        "complete": Move.COMPLETE,
        "rollback": Move.UNDO,
    }
    for verb in directives.allowed_verbs(state, paused=False, undoing=False):
        step = Move.FAIL if (state, verb) == (State.IN_PROGRESS, "abort") else moves.get(verb)
        assert step is None or (state, step) in TRANSITIONS


@pytest.mark.slow
def test_in_200_interleavings_no_agents_write_lands_after_the_persons(env: BoardEnv) -> None:
    """Threads on the real database; the order of the audit log decides.

    The directive arrives during a random step of the agent. Every third time that step waits for
    it, so that enough directives arrive before the agent finishes.
    """
    chance = random.Random(20261123)
    decided: list[tuple[Claim, str, bool]] = []
    with ThreadPoolExecutor(2) as threads:
        for _ in range(200):
            deep = chance.random() < 0.4
            claim = started(env, LEVEL) if deep else env.create_parsed_task()
            verb = chance.choice(("abort", "manual", "pause", *(("change",) * 2 if deep else ())))
            at, waits = chance.randrange(8), chance.random() < 0.33
            step = Step(at, threading.Event(), threading.Event())
            agent = threads.submit(_work_on, env, claim, deep, step, waits=waits)
            assert step.reached.wait(PATIENCE)
            try:
                change(env, claim) if verb == "change" else give(env, claim, verb)
            except IllegalMove:
                verb = ""  # the agent had already finished it
            step.ordered.set()
            lost = agent.result()
            decided.append((claim, verb, lost))
            with suppress(IllegalMove):
                give(env, claim, "manual")  # one change per server: the next one needs it
    assert sum(lost for _, _, lost in decided) > 40, "the orders came too late to prove anything"
    assert sum(bool(verb) for _, verb, _ in decided) > 100
    assert {verb for _, verb, _ in decided} >= {"abort", "manual", "pause", "change"}
    with env.board.database.reading() as session:
        assert log.verify_all(session).intact
        links = list(log.entries(session))
    for claim, verb, _ in decided:
        if not verb:
            continue
        mine = [link for link in links if link.sr_id == claim.sr_id]
        order = next(n for n, link in enumerate(mine) if link.kind == "ordered")
        late = [x.kind for x in mine[order + 1 :] if x.actor.startswith("agent:")]
        # Results of commands already sent are still stored; nothing else is.
        assert set(late) <= {"result", "result_failed"}, (verb, late)


@dataclass
class Step:
    """The step of an agent's work during which the directive arrives."""

    left: int
    reached: threading.Event
    ordered: threading.Event

    def done(self, *, waits: bool) -> None:
        """Count a step; the chosen step waits for the directive if `waits` is set."""
        if self.left == 0:
            self.reached.set()
            if waits:
                self.ordered.wait(PATIENCE)
        self.left -= 1


def _work_on(env: BoardEnv, claim: Claim, deep: bool, step: Step, *, waits: bool) -> bool:
    """Work on a task until the claim is lost; return whether it was."""
    try:
        return _steps(env, claim, deep, partial(step.done, waits=waits))
    finally:
        step.reached.set()


def _steps(env: BoardEnv, claim: Claim, deep: bool, step: Callable[[], None]) -> bool:
    board = env.board
    with suppress(Refused):
        try:
            step()
            enter = grants.execution_grant if deep else grants.grant_reads
            grant = enter(board, claim)
            step()
            for _ in range(2):
                intent = commands.record_intent(board, grant, READ, "…")
                step()
                commands.record_result(board, intent, GOOD)
                step()
                tasks.add_comment(board, claim, "봅니다")
                step()
            if deep:
                intent = commands.record_intent(board, grant, LEVEL.call, "…", PlanStep(0, "do"))
                commands.record_result(board, intent, GOOD)
                tasks.complete(board, claim, "끝")
            else:
                tasks.file_plan(board, claim, plan())
        except Stale:
            return True
    return False
