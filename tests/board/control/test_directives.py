from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psycopg
import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, PM, BoardEnv, action, assignment, plan

from guardia.board.approvals import decisions
from guardia.board.audit import log
from guardia.board.control import directives, kill_switch, rollback
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core.claims import Claim
from guardia.board.core.lifecycle import TRANSITIONS, Move, State
from guardia.board.core.plan import Action, Risk, ToolCall
from guardia.board.execution import commands, tasks
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


def started(cast: BoardEnv, *actions: Action) -> Claim:
    held, _, bound = cast.planned(plan("MAINTENANCE", *actions))
    decisions.decide(cast.desk, LEAD, held.task_id, approve=True, plan_hash=bound)
    again = cast.hold("db-agent")
    tasks.begin_execution(cast.desk, again)
    return again


def completed(cast: BoardEnv, *actions: Action) -> Claim:
    hold = started(cast, *actions)
    grant = tasks.begin_execution(cast.desk, hold)
    for number, one in enumerate(actions or (action(),)):
        intent = commands.record_intent(cast.desk, grant, one.call, "…", PlanStep(number, "do"))
        commands.record_result(cast.desk, intent, GOOD)
    tasks.complete(cast.desk, hold, "끝")
    return hold


def give(cast: BoardEnv, hold: Claim, verb: str, reason: str = "사유", argument: str = "") -> State:
    return directives.issue_directive(
        cast.desk, LEAD, hold.task_id, DirectiveRequest(verb, reason, argument)
    )


def change(cast: BoardEnv, hold: Claim) -> State:
    bound = tasks.plan_hash(hold.task_id, plan("MAINTENANCE", LEVEL))
    wish = DirectiveRequest("change", "값을 고침", bound, plan("MAINTENANCE", LEVEL, LEVEL))
    return directives.issue_directive(cast.desk, PM, hold.task_id, wish)


def one(cast: BoardEnv, query: str) -> object:
    with psycopg.connect(cast.dsn) as connection:
        row = connection.execute(query).fetchone()  # type: ignore[arg-type]
    return row[0] if row and len(row) == 1 else row


def test_a_task_that_has_not_begun_is_aborted_and_its_approvals_are_void(cast: BoardEnv) -> None:
    hold, _, bound = cast.planned()
    assert give(cast, hold, "abort") is State.ABORTED
    assert one(cast, "select state from tb_approval") == "VOID"
    with pytest.raises(Stale):
        decisions.decide(cast.desk, LEAD, hold.task_id, approve=True, plan_hash=bound)


def test_a_running_one_is_undone_by_its_agent(cast: BoardEnv) -> None:
    hold = started(cast, LEVEL)
    assert give(cast, hold, "abort") is State.IN_PROGRESS
    with pytest.raises(IllegalMove):
        give(cast, hold, "abort")
    begun = beats.begin(cast.desk, "db-agent")
    assert begun is not None and "order" in begun.reasons
    order = rollback.claim_rollback(cast.desk, begun)
    assert order is not None and order.hold.task_id == hold.task_id
    assert rollback.finish_rollback(cast.desk, order, [], []) is State.FAILED_ROLLBACK


def test_a_paused_task_rests_until_it_is_resumed(cast: BoardEnv) -> None:
    hold = cast.parsed()
    give(cast, hold, "pause")
    begun = beats.begin(cast.desk, "db-agent")
    assert begun is None or beats.claim_task(cast.desk, begun) is None
    with pytest.raises(Stale):
        tasks.file_plan(cast.desk, hold, plan())
    give(cast, hold, "resume")
    assert cast.hold("db-agent").task_id == hold.task_id


def test_a_person_takes_over_does_it_by_hand_and_closes_it(cast: BoardEnv) -> None:
    hold = started(cast)
    wish = DirectiveRequest("manual", "직접 처리")
    assert directives.issue_directive(cast.desk, ENGINEER, hold.task_id, wish) is State.MANUAL
    assert one(cast, "select owner_id from tb_ops_task") == "eng"
    with pytest.raises(Invalid):
        give(cast, hold, "complete", reason="")
    assert give(cast, hold, "complete", "세션을 정리함") is State.COMPLETED


def test_a_person_may_take_over_what_an_agent_is_undoing(cast: BoardEnv) -> None:
    hold = started(cast, LEVEL)
    kill_switch.kill(cast.desk, LEAD, "정지")
    assert give(cast, hold, "manual") is State.MANUAL
    assert kill_switch.stopped_tasks(cast.desk, 1)[0].outcome == "NOT_RESTORED"
    begun = beats.begin(cast.desk, "db-agent")
    assert begun is None or rollback.claim_rollback(cast.desk, begun) is None


def test_work_given_back_needs_its_approval_anew_even_for_the_same_plan(cast: BoardEnv) -> None:
    hold, filed, bound = cast.planned()
    give(cast, hold, "manual")
    assert give(cast, hold, "return") is State.PARSED
    again = cast.hold("db-agent")
    assert tasks.file_plan(cast.desk, again, filed) is False
    with pytest.raises(Stale):
        decisions.decide(cast.desk, LEAD, hold.task_id, approve=True, plan_hash=bound)


def test_what_has_no_server_cannot_be_given_back(cast: BoardEnv) -> None:
    cast.received()
    hold = cast.hold("dispatcher")
    tasks.hand_over(cast.desk, hold, "서버를 모름")
    with pytest.raises(Refused):
        give(cast, hold, "return")


def test_a_completed_task_is_rolled_back_by_its_agent_once_it_is_verified(cast: BoardEnv) -> None:
    hold = completed(cast, LEVEL)
    assert give(cast, hold, "rollback") is State.COMPLETED
    begun = beats.begin(cast.desk, "db-agent")
    assert begun is not None
    order = rollback.claim_rollback(cast.desk, begun)
    assert order is not None
    grant = rollback.grant_rollback(cast.desk, order).grant
    assert LEVEL.undo is not None
    commands.record_intent(cast.desk, grant, LEVEL.undo, "…", PlanStep(0, "undo"))
    assert rollback.finish_rollback(cast.desk, order, ["- 로그"], []) is State.ROLLED_BACK


def test_a_rollback_that_fails_is_never_silent(cast: BoardEnv) -> None:
    hold = completed(cast, LEVEL)
    give(cast, hold, "rollback")
    begun = beats.begin(cast.desk, "db-agent")
    assert begun is not None
    order = rollback.claim_rollback(cast.desk, begun)
    assert order is not None
    assert rollback.finish_rollback(cast.desk, order, [], ["- 로그"]) is State.MANUAL
    assert one(cast, "select count(*) from tb_outbox where kind = 'alert'") == 1


def test_what_is_irreversible_is_listed_and_refused(cast: BoardEnv) -> None:
    hold = completed(cast)
    with pytest.raises(Refused, match="세션 7을 끝냅니다"):
        give(cast, hold, "rollback")


def test_another_agent_or_engineer_takes_it(cast: BoardEnv) -> None:
    hold = cast.parsed()
    give(cast, hold, "reassign", argument="was-agent")
    assert cast.hold("was-agent").task_id == hold.task_id
    give(cast, hold, "reassign", argument="eng")
    assert one(cast, "select assignee_id from tb_sr_request") == "eng"
    for nobody in ("lead", "dispatcher", "", "x"):
        with pytest.raises(Invalid):
            give(cast, hold, "reassign", argument=nobody)


def test_an_urgent_one_is_claimed_first_and_running_work_is_left_running(cast: BoardEnv) -> None:
    first = cast.parsed()
    give(cast, first, "priority", argument="p2")  # its beat no longer holds it
    cast.received()
    second = cast.hold("dispatcher")
    tasks.file_triage(cast.desk, second, assignment("MOF-DB-01"))
    give(cast, second, "priority", argument="p1")
    assert cast.hold("db-agent").task_id == second.task_id != first.task_id
    for hold in (first, second):
        give(cast, hold, "pause")
    running = started(cast)
    give(cast, running, "priority", argument="P1")
    tasks.add_comment(cast.desk, running, "계속합니다")
    with pytest.raises(Invalid):
        give(cast, running, "priority", argument="P9")


def test_a_paused_agent_undoes_what_people_order_and_nothing_else(cast: BoardEnv) -> None:
    hold = started(cast)
    agent_control.pause(cast.desk, "db-agent", "operator:test")
    agent_control.pause(cast.desk, "dispatcher", "operator:test")
    cast.received()
    assert beats.begin(cast.desk, "dispatcher") is None
    kill_switch.kill(cast.desk, LEAD, "정지")
    for _ in range(2):  # the first worker dies
        begun = beats.begin(cast.desk, "db-agent")
        assert begun is not None and begun.works and begun.ordered
        order = rollback.claim_rollback(cast.desk, begun)
        assert order is not None and order.hold.task_id == hold.task_id
        assert beats.claim_task(cast.desk, begun) is None
    rollback.finish_rollback(cast.desk, order, ["되돌림"], [])
    beats.end(cast.desk, begun, "restored", task_id=hold.task_id, steps=1)
    assert beats.begin(cast.desk, "db-agent") is None


def test_orders_need_their_right_and_a_known_verb(cast: BoardEnv) -> None:
    hold = cast.parsed()
    for verb in directives.VERBS:
        with pytest.raises(Forbidden):
            directives.issue_directive(
                cast.desk, CUSTOMER, hold.task_id, DirectiveRequest(verb, "x")
            )
    with pytest.raises(Forbidden):
        directives.issue_directive(
            cast.desk, ENGINEER, hold.task_id, DirectiveRequest("rollback", "x")
        )
    with pytest.raises(NotFound):
        give(cast, hold, "explode")
    assert one(cast, "select count(*) from tb_directive") == 0


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


def test_in_200_interleavings_no_agents_write_lands_after_the_persons(cast: BoardEnv) -> None:
    """Threads on the real database; the record's own order is the judge."""
    chance = random.Random(20261123)
    decided: list[tuple[Claim, str, bool]] = []
    with ThreadPoolExecutor(2) as threads:
        for _ in range(200):
            deep = chance.random() < 0.4
            hold = started(cast, LEVEL) if deep else cast.parsed()
            verb = chance.choice(("abort", "manual", "pause", *(("change",) * 2 if deep else ())))
            wait = chance.random() * 0.03
            agent = threads.submit(_work_on, cast, hold, deep)
            time.sleep(wait)
            try:
                change(cast, hold) if verb == "change" else give(cast, hold, verb)
            except IllegalMove:
                verb = ""  # the agent had already ended it
            lost = agent.result()
            decided.append((hold, verb, lost))
    assert sum(lost for _, _, lost in decided) > 40, "the orders came too late to prove anything"
    assert sum(bool(verb) for _, verb, _ in decided) > 100
    assert {verb for _, verb, _ in decided} >= {"abort", "manual", "pause", "change"}
    with cast.desk.database.reading() as session:
        assert log.verify_all(session).intact
        links = list(log.entries(session))
    for hold, verb, _ in decided:
        if not verb:
            continue
        mine = [link for link in links if link.sr_id == hold.sr_id]
        order = next(n for n, link in enumerate(mine) if link.kind == "ordered")
        late = [x.kind for x in mine[order + 1 :] if x.actor.startswith("agent:")]
        # What the server had already been told is still written down; nothing else is.
        assert set(late) <= {"result", "result_failed"}, (verb, late)


def _work_on(cast: BoardEnv, hold: Claim, deep: bool) -> bool:
    """What an agent does with a task, until it has lost it; whether it has."""
    desk = cast.desk
    with suppress(Refused):
        try:
            grant = tasks.begin_execution(desk, hold) if deep else tasks.grant_reads(desk, hold)
            for _ in range(2):
                commands.record_result(desk, commands.record_intent(desk, grant, READ, "…"), GOOD)
                tasks.add_comment(desk, hold, "봅니다")
            if deep:
                step = commands.record_intent(desk, grant, LEVEL.call, "…", PlanStep(0, "do"))
                commands.record_result(desk, step, GOOD)
                tasks.complete(desk, hold, "끝")
            else:
                tasks.file_plan(desk, hold, plan())
        except Stale:
            return True
    return False
