"""A change that may have run is never dropped: after any error it is undone or named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from board_env import LEAD, TERMINATE, BoardEnv, plan, seeded_env
from full_stack import LIBRARY
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from waiting import SettableClock

from guardia.agents.team import Team
from guardia.board.approvals import decisions
from guardia.board.audit import log
from guardia.board.core.claims import Claim
from guardia.board.core.lifecycle import State
from guardia.board.core.model import ActionRun, Comment
from guardia.board.core.plan import ToolCall
from guardia.board.execution import commands, grants, view
from guardia.errors import Refused
from guardia.org import registry, revisions
from guardia.tools import catalog, planning
from guardia.tools import gate as gate_module
from guardia.tools.gate import Gate
from guardia.tools.output import Output

ROOT = {
    "pid": 7,
    "backend_start": "2026-11-20 05:00:00+00",
    "state": "active",
    "user": "app",
    "application": "",
    "xact_seconds": 60.5,
    "query": "select 1",
    "blocked": 1,
}
LOCKS = json.dumps({"waiting": 1, "roots": [ROOT], "waiters": []})
IDLE = '{"sessions":0,"active":0,"idle_in_transaction":0,"longest_seconds":0}'
RAISED = [
    RecursionError("maximum recursion depth exceeded"),
    MemoryError(),
    OverflowError("date value out of range"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
    ValueError("x"),
    KeyError("x"),
    AssertionError(),
    ZeroDivisionError(),
    StopIteration(),
]


@dataclass
class BrokenTransport:
    """Raises for a change after it has run, and answers reads with `answer`."""

    raised: Exception | None
    answer: str = "[]"
    ended: list[str] = field(default_factory=list)

    def run(self, _host: Any, command: Any, *, fence_guard: Any = None, **_more: Any) -> Output:
        if fence_guard is not None and self.raised is not None:
            raise self.raised
        asks_for_locks = "pg_locks" in command.masked and fence_guard is None
        return Output(0, LOCKS if asks_for_locks else self.answer, "", 0.0)

    def end(self, _host: Any, tag: str) -> bool:
        self.ended.append(tag)
        return True


@pytest.fixture
def env(database: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[BoardEnv]:
    monkeypatch.setattr(gate_module, "time", SettableClock(step=60.0))  # checks wait for nothing
    with seeded_env(database.app) as found:
        yield found


def carry_out(env: BoardEnv, transport: BrokenTransport) -> Claim:
    """Carry out an approved plan of one action on a server that answers like `transport`."""
    with env.board.database.reading() as session:
        agent = next(a for a in revisions.running_chart(session).agents if a.id == "db-agent")
        host = registry.host(session, "MOF-DB-01")
    one = planning.propose(TERMINATE, host)
    held, _, bound = env.create_filed_plan(plan("MAINTENANCE", one))
    decisions.decide(env.board, LEAD, held.task_id, approve=True, plan_hash=bound)
    claim = env.claim("db-agent")
    gate = Gate(env.board, cast("Any", transport), sleep=lambda _: None)
    team = Team(env.board, gate, LIBRARY, cast("Any", None))
    team._run_operate = lambda context, _task: team._run_manual_plan(context)  # type: ignore[method-assign]
    team.work(agent, claim)
    return claim


def said(env: BoardEnv, claim: Claim) -> str:
    with env.board.database.reading() as session:
        texts = session.scalars(select(Comment.body).where(Comment.sr_id == claim.sr_id))
        return "\n".join(texts)


def entries(env: BoardEnv, claim: Claim) -> list[Any]:
    with env.board.database.reading() as session:
        return [entry for entry in log.entries(session) if entry.task_id == claim.task_id]


def states(env: BoardEnv, claim: Claim) -> list[str]:
    with env.board.database.reading() as session:
        found = select(ActionRun.state).where(ActionRun.task_id == claim.task_id)
        return list(session.scalars(found))


@pytest.mark.slow
@pytest.mark.parametrize("raised", RAISED, ids=lambda e: type(e).__name__)
def test_an_error_after_a_change_is_settled_and_named(env: BoardEnv, raised: Exception) -> None:
    transport = BrokenTransport(raised)
    claim = carry_out(env, transport)
    # A read shows that the session still blocks others: the change had no effect, and is named.
    assert view.task(env.board, claim.task_id).state is State.FAILED_ROLLBACK
    assert states(env, claim) == ["UNKNOWN"]
    assert "DB에서 잠금을 점유한 세션" in said(env, claim)
    assert transport.ended, "nobody made sure that it runs no longer"
    kinds = [entry.kind for entry in entries(env, claim)]
    assert kinds.count("intent") == sum(k in ("result", "result_failed") for k in kinds)
    assert "found_unknown" in kinds


@pytest.mark.slow
def test_what_the_server_shows_decides_a_change_of_unknown_result(env: BoardEnv) -> None:
    """The answer to the change was nonsense; the read shows that its effect is there."""
    transport = BrokenTransport(RecursionError(), answer='{"present": false, "state": null}')
    claim = carry_out(env, transport)
    assert states(env, claim) == ["DONE"]
    assert "found_done" in [entry.kind for entry in entries(env, claim)]


@pytest.mark.slow
def test_an_unreadable_answer_to_a_change_is_unknown_not_failed(env: BoardEnv) -> None:
    claim = carry_out(env, BrokenTransport(None, answer="[" * 30_000))
    assert states(env, claim) == ["UNKNOWN"]
    assert view.task(env.board, claim.task_id).state is State.FAILED_ROLLBACK
    assert "DB에서 잠금을 점유한 세션" in said(env, claim)


@pytest.mark.slow
def test_an_error_outside_of_the_gate_names_the_change(
    env: BoardEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent's own step breaks after the change, and undoing breaks as well."""

    def broken(*_: Any, **__: Any) -> None:
        raise RecursionError

    monkeypatch.setattr(Gate, "_verified", broken)
    monkeypatch.setattr(Gate, "undo", broken)
    claim = carry_out(env, BrokenTransport(None, answer='{"acted": true}'))
    assert view.task(env.board, claim.task_id).state is State.MANUAL
    assert "DB에서 잠금을 점유한 세션" in said(env, claim)


def test_a_result_that_the_board_cannot_take_is_recorded_later(
    env: BoardEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(env.board, cast("Any", BrokenTransport(None, answer=IDLE)))
    grant = grants.grant_reads(env.board, env.create_parsed_task())
    call = ToolCall(tool="database.activity", args={"service": "budgetdb"})
    record = commands.record_result
    monkeypatch.setattr(commands, "record_result", outage)
    with pytest.raises(OperationalError):
        gate.read(grant, call)
    with pytest.raises(OperationalError):
        gate.record_pending()
    monkeypatch.setattr(commands, "record_result", record)
    assert gate.record_pending() == 1
    assert gate.record_pending() == 0
    kinds = [entry.kind for entry in entries(env, grant.claim)]
    assert (kinds.count("intent"), kinds.count("result")) == (1, 1)


def outage(*_: Any) -> None:
    raise OperationalError("x", {}, Exception("the database is gone"))


@pytest.mark.slow
def test_the_gate_runs_no_change_that_an_operator_has_disabled(
    env: BoardEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change by a manual that was on when it was planned and approved, and is off now."""
    by_manual = replace(catalog.find(TERMINATE.tool), manual="Vendor Guide 12")
    monkeypatch.setattr(catalog, "CATALOG", {**catalog.CATALOG, TERMINATE.tool: by_manual})
    with monkeypatch.context() as enabled:
        enabled.setenv("GUARDIA_ENABLED_TOOLS", TERMINATE.tool)
        with env.board.database.reading() as session:
            one = planning.propose(TERMINATE, registry.host(session, "MOF-DB-01"))
    gate = Gate(env.board, cast("Any", BrokenTransport(None, answer=IDLE)))
    grant = replace(grants.grant_reads(env.board, env.create_parsed_task()), category="MAINTENANCE")
    with pytest.raises(Refused, match="GUARDIA_ENABLED_TOOLS"):
        gate.execute(grant, 0, one)
