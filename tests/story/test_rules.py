"""Rules of a site end to end: real SSH and real faults of the practice fleet."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from full_stack import FullStack
from rules_env import SENTENCE, add, freeze_from
from sqlalchemy import select

from guardia.board.approvals import decisions, pending
from guardia.board.control import manual_plans, requested_work
from guardia.board.control.requested_work import WorkOrigin
from guardia.board.core.context import utc_now
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Task
from guardia.board.core.planner import ActionDraft
from guardia.board.core.wakes import wake
from guardia.board.execution import view

pytestmark = pytest.mark.slow

HUNG = "기재부 와스 1호기 화면이 안 떠요. 포트는 열려 있는데 응답이 없습니다"
SERVER = "MOF-WAS-01"


class ShiftedClock:
    """The real time and a shift that a test changes."""

    def __init__(self) -> None:
        self.shift = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.shift


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
def timed(stack: FullStack, clock: ShiftedClock) -> Iterator[FullStack]:
    """Return the stack with a clock that the test moves."""
    board = replace(stack.board, clock=clock)
    for owner in (stack.team, stack.gate, stack.gate._recorded):
        owner._board = board
    stack.board = board
    yield stack


def task_of(stack: FullStack, sr_id: int) -> int:
    """Return the number of an issue's last task."""
    with stack.board.database.reading() as session:
        query = select(Task.task_id).where(Task.sr_id == sr_id).order_by(Task.task_id.desc())
        found = session.scalars(query).first()
        assert found is not None
        return found


def test_an_agents_restart_waits_for_the_end_of_a_freeze(
    timed: FullStack, clock: ShiftedClock
) -> None:
    lead = timed.person("team_lead")
    begins = timed.board.clock() - timedelta(hours=1)
    add(timed.board, "settlement", freeze_from(begins, 3, "*.restart"), lead)
    timed.fleet.fault("hung-was")
    sr_id = timed.request(HUNG)
    timed.work()
    plan = pending.pending_plans(timed.board, sr_id)[0].plan
    assert plan.starts_at is not None
    assert abs(plan.starts_at - (begins + timedelta(hours=3))) < timedelta(seconds=1)
    timed.decide(sr_id)
    timed.work()
    assert (timed.state(sr_id), timed.changes(sr_id)) == (State.APPROVED, [])
    assert not timed.fleet.is_healthy("hung-was")
    clock.shift = timedelta(hours=2, seconds=5)
    _pass_time(timed, sr_id)
    timed.work()
    assert timed.state(sr_id) is State.COMPLETED
    assert timed.fleet.is_healthy("hung-was")


def test_work_ordered_for_later_is_approved_now_and_runs_then(
    timed: FullStack, clock: ShiftedClock
) -> None:
    person, start = timed.person("engineer"), timed.board.clock() + timedelta(hours=2)
    origin = WorkOrigin("console", "command:1", "2시간 뒤에 재시작해")
    sr_id = requested_work.request_work(timed.board, person, SERVER, "RESTART", origin, start)
    timed.work()
    assert pending.pending_plans(timed.board, sr_id)[0].plan.starts_at == start
    timed.decide(sr_id)
    timed.work()
    assert (timed.state(sr_id), timed.changes(sr_id)) == (State.APPROVED, [])
    clock.shift = timedelta(hours=2, seconds=5)
    _pass_time(timed, sr_id)
    timed.work()
    assert timed.state(sr_id) is State.COMPLETED and timed.changes(sr_id)


def _pass_time(stack: FullStack, sr_id: int) -> None:
    """Wake the agent of a task, as the clock does once its start is due."""
    with stack.board.database.transaction() as session:
        task = session.get_one(Task, task_of(stack, sr_id))
        assert task.agent_id is not None
        wake(session, task.agent_id, "manual", stack.board.clock())


def test_a_worker_killed_in_a_change_settles_it_though_a_rule_has_begun(
    stack: FullStack, database: Any, keys: Path
) -> None:
    stack.fleet.fault("lock-chain")
    sr_id = stack.request("기재부 운영DB 쿼리가 너무 느려요")
    stack.work()
    stack.decide(sr_id)
    program = Path(__file__).parents[1] / "support" / "die_after.py"
    arguments = [database.app, str(stack.fleet.home), str(keys), "db-agent"]
    died = subprocess.run(
        [sys.executable, str(program), *arguments], check=False, timeout=60, capture_output=True
    )
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    add(stack.board, "look-only", {"kind": "investigate"}, stack.person("team_lead"))
    with stack.board.database.transaction() as session:
        wake(session, "db-agent", "manual", stack.board.clock())
    stack.work()
    assert stack.state(sr_id) is State.COMPLETED
    assert stack.changes(sr_id) == ["database.terminate_session"]


def test_a_server_to_look_at_only_is_diagnosed_and_handed_to_people(stack: FullStack) -> None:
    lead = stack.person("team_lead")
    add(stack.board, "look-only", {"kind": "investigate"}, lead, scope={"server": SERVER})
    stack.fleet.fault("hung-was")
    sr_id = stack.request(HUNG)
    stack.work()
    assert (stack.state(sr_id), stack.changes(sr_id)) == (State.MANUAL, [])
    texts = [entry.detail.get("text", "") for entry in stack.entries(sr_id)]
    assert any(SENTENCE in text and SERVER in text for text in texts)
    # A person who has to act all the same gets one plan through, with the approvals of FORCED.
    boss = stack.person("admin")
    draft = ActionDraft("service.restart", {"service": _service(stack)})
    task_id = manual_plans.force_action(stack.board, boss, sr_id, SERVER, draft, "민원 폭주")
    manual_plans.request_exception(stack.board, boss, task_id, _hash(stack, task_id), "민원 폭주")
    _approve(stack, lead.id, task_id)
    _approve(stack, stack.person("security_officer").id, task_id)
    stack.work()
    assert stack.fleet.is_healthy("hung-was")
    assert stack.changes(sr_id) == ["service.restart"]


def _hash(stack: FullStack, task_id: int) -> str:
    return view.plan_state(stack.board, task_id).plan_hash or ""


def _approve(stack: FullStack, person_id: str, task_id: int) -> None:
    person = next(p for p in stack.fleet.directory().people if p.id == person_id)
    bound = _hash(stack, task_id)
    decisions.decide(stack.board, person, task_id, approve=True, plan_hash=bound)


def _service(stack: FullStack) -> str:
    host = next(h for h in stack.fleet.directory().servers if h.server_id == SERVER)
    return next(s.name for s in host.services if s.control)


def test_a_change_below_a_link_to_a_forbidden_path_is_not_made(stack: FullStack) -> None:
    lead = stack.person("team_lead")
    host = next(h for h in stack.fleet.directory().servers if h.server_id == SERVER)
    root = next(s.root for s in host.services if s.control)
    assert root is not None
    link = Path(root).parent / f"link-{Path(root).name}"
    link.symlink_to(root)
    try:
        terms = {"kind": "never", "actions": ["service.restart"], "paths": [str(link)]}
        add(stack.board, "linked", terms, lead, scope={"server": SERVER})
        stack.fleet.fault("hung-was")
        sr_id = stack.request(HUNG)
        stack.work()
        assert stack.state(sr_id) is State.PENDING_APPROVAL
        stack.decide(sr_id)
        stack.work()
    finally:
        link.unlink()
    assert (stack.state(sr_id), stack.changes(sr_id)) == (State.MANUAL, [])
    reads = [e.detail["tool"] for e in stack.entries(sr_id) if e.kind == "intent"]
    assert "host.real_paths" in reads
