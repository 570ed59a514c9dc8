"""However a session ends, its program ends with it, and the task is left to people."""

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
from sqlalchemy import select
from waiting import AN_HOUR, PATIENCE, SettableClock, wait_until

from guardia.agents.adapters.contract import HostResources
from guardia.agents.adapters.runner import ExternalAgentRunner
from guardia.board.approvals import decisions
from guardia.board.control import directives, kill_switch
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core.actors import Actor
from guardia.board.core.claims import Claim
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Comment
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


class SessionRun:
    """One session of a program in a thread, as in a beat."""

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
        self.runner = ExternalAgentRunner(
            "http://127.0.0.1:9",
            HostResources(folder / "outside", FileCredentialStore(folder / "keys")),
            grace=0.1,
        )
        self.result: list[Any] = []

    def run(self) -> None:
        here = adapter_context(self.env, self.claim, FakeTransport())
        try:
            self.result.append(self.runner.work(here, self.entry, self.closing.is_set))
        except Stale as error:
            self.result.append(error)
        drop_half_open_connections()

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Wait until the program runs with a hidden child; afterwards nothing of it is left."""
        thread = threading.Thread(target=self.run)
        thread.start()
        assert wait_until(lambda: running(self.mark) >= 3)  # the supervisor, the program, its child
        yield
        thread.join(PATIENCE)
        assert not thread.is_alive() and running(self.mark) == 0

    @property
    def ended(self) -> dict[str, Any]:
        return audit_entries(self.env.board, "outside_ended")[-1].detail

    @property
    def state(self) -> State:
        return view.task(self.env.board, self.claim.task_id).state


def abort(session_run: SessionRun) -> None:
    directives.issue_directive(
        session_run.env.board, LEAD, session_run.claim.task_id, DirectiveRequest("abort", "그만")
    )


def kill(session_run: SessionRun) -> None:
    kill_switch.kill(session_run.env.board, LEAD, "시험")


def take_over(session_run: SessionRun) -> None:
    directives.issue_directive(
        session_run.env.board,
        LEAD,
        session_run.claim.task_id,
        DirectiveRequest("manual", "직접 하겠습니다"),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("order", "state"),
    [(abort, State.ABORTED), (kill, State.PARSED), (take_over, State.MANUAL)],
)
def test_a_persons_decision_ends_program_and_children_at_once(
    env: BoardEnv, folder: Path, order: Callable[[SessionRun], None], state: State
) -> None:
    session_run = SessionRun(env, folder, STAYS)
    with session_run.begun():
        order(session_run)
    assert session_run.ended["how"] == "overruled" and session_run.ended["left"] >= 2
    assert session_run.state is state
    # After the person's decision nothing of the agent reaches the issue, not even its output.
    notes = [e for e in audit_entries(env.board, "comment") if e.actor == "agent:db-agent"]
    assert notes == [] and "still here" in session_run.ended["output"]


@pytest.mark.slow
def test_a_timed_out_session_is_ended_and_left_to_people(
    env: BoardEnv, folder: Path, loop_clock: SettableClock
) -> None:
    session_run = SessionRun(env, folder, STAYS, timeout="1h")
    with session_run.begun():
        loop_clock.ahead += AN_HOUR
    assert session_run.ended["how"] == "timeout" and session_run.state is State.MANUAL
    with env.board.database.reading() as session:
        said = "\n".join(session.scalars(select(Comment.body)))
    assert "still here" in said


@pytest.mark.slow
def test_a_closing_worker_releases_the_task(env: BoardEnv, folder: Path) -> None:
    session_run = SessionRun(env, folder, STAYS)
    with session_run.begun():
        session_run.closing.set()
    assert session_run.result == [False] and session_run.ended["how"] == "closing"
    assert session_run.state is State.PARSED


@pytest.mark.slow
def test_a_started_plan_is_finished_without_its_author(env: BoardEnv, folder: Path) -> None:
    claim, _, bound = env.create_filed_plan(
        plan("MAINTENANCE", planning.propose(TERMINATE, SERVER))
    )
    decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=bound)
    tasks.begin_execution(env.board, env.claim("db-agent"))
    session_run = SessionRun(env, folder, STAYS, claim=env.claim("db-agent"))
    assert session_run.state is State.IN_PROGRESS
    session_run.run()
    # Nothing blocks any more on that server, so nothing is changed there.
    assert session_run.result == [True] and session_run.state is State.COMPLETED
    assert audit_entries(env.board, "outside_opened") == []


@pytest.mark.slow
def test_an_agent_without_budget_is_paused_and_not_started(env: BoardEnv, folder: Path) -> None:
    session_run = SessionRun(env, folder, STAYS)
    chart = chart_with_adapter({"kind": "claude_code"}, budget={"tokens": 10})
    organization_chart.apply_chart(env.board, chart, Actor.operator("test"))
    metering.report_usage(env.board, session_run.claim, ReportedUsage("m", 8, 4))
    session_run.run()
    assert isinstance(session_run.result[0], Stale) and session_run.state is State.PARSED
    assert audit_entries(env.board, "outside_opened") == []
    assert len(audit_entries(env.board, "budget_paused")) == 1
