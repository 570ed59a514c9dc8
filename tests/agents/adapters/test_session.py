"""Whatever ends a turn ends its program with it, and leaves the task with those who decide."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from adapter_env import (
    FakeTransport,
    adapter_context,
    adapter_entry,
    drop_half_open_connections,
)
from board_env import LEAD, SERVER, TERMINATE, BoardEnv, plan
from external_agents import audit_entries, chart_with_adapter, python_adapter, shared_folder
from waiting import AN_HOUR, PATIENCE, SettableClock, wait_until

from guardia.agents.adapters.contract import HostResources
from guardia.agents.adapters.runner import ExternalAgentRunner
from guardia.board.approvals import decisions
from guardia.board.control import directives, kill_switch
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core.claims import Claim
from guardia.board.core.lifecycle import State
from guardia.board.costs import metering
from guardia.board.costs.metering import ReportedUsage
from guardia.board.execution import tasks, view
from guardia.board.organization import chart as organization_chart
from guardia.errors import Stale
from guardia.org.credential_store import FileCredentialStore
from guardia.tools import planning

STAYS = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)", *sys.argv[1:]],
                 start_new_session=True)
print("still here", flush=True)
time.sleep(3600)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with shared_folder() as found:
        yield found


def running(mark: str) -> int:
    count = 0
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            count += mark.encode() in file.read_bytes()
        except OSError:
            continue
    return count


class Shift:
    """One turn of a program in a thread, as a beat has it."""

    def __init__(
        self, env: BoardEnv, folder: Path, source: str, claim: Claim | None = None, **more: Any
    ) -> None:
        self.mark = f"turn-{os.getpid()}-{time.monotonic_ns()}"
        adapter = python_adapter(folder, source, **more)
        self.entry = adapter_entry({**adapter, "command": [*adapter["command"], self.mark]})
        self.env, self.claim, self.closing = (
            env,
            claim or env.create_parsed_task(),
            threading.Event(),
        )
        self.employer = ExternalAgentRunner(
            "http://127.0.0.1:9",
            HostResources(folder / "outside", FileCredentialStore(folder / "keys")),
            grace=0.1,
        )
        self.result: list[Any] = []

    def run(self) -> None:
        here = adapter_context(self.env, self.claim, FakeTransport())
        try:
            self.result.append(self.employer.work(here, self.entry, self.closing.is_set))
        except Stale as error:
            self.result.append(error)
        drop_half_open_connections()

    @contextmanager
    def begun(self) -> Iterator[None]:
        """The program runs, with a child that hides; at the end nothing of it is left."""
        thread = threading.Thread(target=self.run)
        thread.start()
        assert wait_until(lambda: running(self.mark) >= 3)  # the ward, the program, its child
        yield
        thread.join(PATIENCE)
        assert not thread.is_alive() and running(self.mark) == 0

    @property
    def ended(self) -> dict[str, Any]:
        return audit_entries(self.env.board, "outside_ended")[-1].detail

    @property
    def state(self) -> State:
        return view.task(self.env.board, self.claim.task_id).state


def abort(shift: Shift) -> None:
    directives.issue_directive(
        shift.env.board, LEAD, shift.claim.task_id, DirectiveRequest("abort", "그만")
    )


def kill(shift: Shift) -> None:
    kill_switch.kill(shift.env.board, LEAD, "시험")


def take_over(shift: Shift) -> None:
    directives.issue_directive(
        shift.env.board, LEAD, shift.claim.task_id, DirectiveRequest("manual", "직접 하겠습니다")
    )


@pytest.mark.parametrize(
    ("order", "state"),
    [(abort, State.ABORTED), (kill, State.PARSED), (take_over, State.MANUAL)],
)
def test_a_persons_word_ends_program_and_children_at_once(
    env: BoardEnv, folder: Path, order: Callable[[Shift], None], state: State
) -> None:
    shift = Shift(env, folder, STAYS)
    with shift.begun():
        order(shift)
    assert shift.ended["how"] == "overruled" and shift.ended["left"] >= 2
    assert shift.state is state
    # After the person's word nothing of the agent lands on the issue, not even what it printed.
    notes = [e for e in audit_entries(env.board, "comment") if e.actor == "agent:db-agent"]
    assert notes == [] and "still here" in shift.ended["output"]


def test_a_turn_out_of_time_is_ended_and_left_to_people(
    env: BoardEnv, folder: Path, loop_clock: SettableClock
) -> None:
    shift = Shift(env, folder, STAYS, timeout="1h")
    with shift.begun():
        loop_clock.ahead += AN_HOUR
    assert shift.ended["how"] == "timeout" and shift.state is State.MANUAL
    assert "still here" in audit_entries(env.board, "comment")[-1].detail["body"]


def test_a_worker_that_is_to_end_gives_the_task_back(env: BoardEnv, folder: Path) -> None:
    shift = Shift(env, folder, STAYS)
    with shift.begun():
        shift.closing.set()
    assert shift.result == [False] and shift.ended["how"] == "closing"
    assert shift.state is State.PARSED


def test_a_plan_that_was_begun_is_finished_without_its_author(env: BoardEnv, folder: Path) -> None:
    claim, _, bound = env.create_filed_plan(
        plan("MAINTENANCE", planning.propose(TERMINATE, SERVER))
    )
    decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=bound)
    tasks.begin_execution(env.board, env.claim("db-agent"))
    shift = Shift(env, folder, STAYS, claim=env.claim("db-agent"))
    assert shift.state is State.IN_PROGRESS
    shift.run()
    # Nothing blocks any more on that server, so nothing is changed there.
    assert shift.result == [True] and shift.state is State.COMPLETED
    assert audit_entries(env.board, "outside_opened") == []


def test_an_agent_without_budget_rests_and_is_not_started(env: BoardEnv, folder: Path) -> None:
    shift = Shift(env, folder, STAYS)
    chart = chart_with_adapter({"kind": "claude_code"}, budget={"tokens": 10})
    organization_chart.apply_chart(env.board, chart, "operator:test")
    metering.report_usage(env.board, shift.claim, ReportedUsage("m", 8, 4))
    shift.run()
    assert isinstance(shift.result[0], Stale) and shift.state is State.PARSED
    assert audit_entries(env.board, "outside_opened") == []
    assert len(audit_entries(env.board, "budget_paused")) == 1
