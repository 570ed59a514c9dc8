"""A forced change on servers of the practice fleet: confirmed, approved once, stopped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import rules_env
from full_stack import FullStack, open_full_stack, seed_full_stack

from guardia.board.cmdb.server_list import ServerFilter
from guardia.board.control import kill_switch
from guardia.board.core.plan import ToolCall
from guardia.board.remote_console import changes, runs, view
from guardia.board.remote_console.policy import ENDS, RunState, TargetState
from guardia.board.remote_console.runs import RunRequest
from guardia.board.remote_console.targets import RunLimits
from guardia.board.remote_console.view import RemoteRunView
from guardia.errors import Forbidden, IllegalMove, Invalid, Missing, NotFound, Refused
from guardia.org.directory import PersonInfo

pytestmark = [pytest.mark.slow, pytest.mark.ssh]

LIMITS = RunLimits(reads=10, changes=3)
SERVERS = ("MOF-WAS-01", "MOF-WAS-02")
LEVEL = "service.set_log_level"
DEBUG = {"service": "budget", "level": "DEBUG", "previous": "INFO"}
INFO = {"service": "budget", "level": "INFO", "previous": "DEBUG"}


@dataclass
class Console:
    """The full stack with what people do on the console."""

    stack: FullStack

    @property
    def pm(self) -> PersonInfo:
        return self.stack.person("pm")

    def draft(self, tool: str = LEVEL, **more: Any) -> int:
        given = {"args": DEBUG, "reason": "긴급 점검", "servers": SERVERS, **more}
        return runs.start(self.stack.board, self.pm, RunRequest(tool=tool, **given), LIMITS)

    def confirm(self, number: int) -> int:
        return changes.confirm(self.stack.board, self.pm, number)

    def run(self, number: int, steps: int = 40) -> RemoteRunView:
        """Let agents and the console work until the run ends."""
        for _ in range(steps):
            if changes.advance(self.stack.board, number) in ENDS:
                return self.show(number)
            self.stack.work()
        raise AssertionError(f"the run does not end: {self.show(number)}")

    def show(self, number: int) -> RemoteRunView:
        return view.get_run(self.stack.board, None, number)

    def states(self, number: int) -> dict[str, TargetState]:
        return {one.server: one.state for one in view.every_target(self.stack.board, number)}

    def levels(self) -> set[str]:
        """Return the log levels of the service, as read on the servers."""
        call = ToolCall(tool="service.log_level", args={"service": "budget"})
        person = self.stack.person("engineer")
        return {self.stack.gate.inspect(person, name, call)["level"] for name in SERVERS}


@pytest.fixture
def console(database: Any, practice: Any, tmp_path: Path) -> Iterator[Console]:
    keys = tmp_path / "secrets"
    seed_full_stack(database.owner, database.app, practice, keys)
    with open_full_stack(database.app, practice, keys) as stack:
        yield Console(stack)


def approve(console: Console, sr_id: int) -> None:
    """Decide each step as another person than the author."""
    console.stack.decide(sr_id)


def test_a_change_is_confirmed_approved_once_and_carried_out_by_agents(console: Console) -> None:
    number = console.draft()
    assert console.show(number).state is RunState.DRAFT
    for one in view.every_target(console.stack.board, number):
        assert one.action is not None and one.server in one.action.effect
        assert one.action.undo is not None and one.action.undo.args["level"] == "INFO"
    with pytest.raises(Refused):
        changes.confirm(console.stack.board, console.stack.person("team_lead"), number)
    sr_id = console.confirm(number)
    with pytest.raises(IllegalMove):
        console.confirm(number)
    assert changes.advance(console.stack.board, number) is RunState.PENDING
    console.stack.work()
    assert console.levels() == {"INFO"}  # nothing runs before the approval
    approve(console, sr_id)
    assert console.run(number).state is RunState.DONE
    assert set(console.states(number).values()) == {TargetState.OK}
    assert console.levels() == {"DEBUG"}
    kinds = [entry.kind for entry in console.stack.entries(sr_id)]
    assert kinds.count("bundled") == 2 and "ordered" in kinds and "planned" in kinds
    assert kinds.count("remote_confirmed") == kinds.count("remote_ended") == 1
    # One server alone first: its result comes before the other one is begun.
    order = [k for k in kinds if k in {"bundled", "completed"}]
    assert order == ["bundled", "completed", "bundled", "completed"]
    assert console.stack.state(sr_id).value == "COMPLETED"
    back = console.draft(args=INFO, sr_id=sr_id)
    assert console.confirm(back) == sr_id  # on the record of the same issue
    approve(console, sr_id)
    assert console.run(back).state is RunState.DONE
    assert console.levels() == {"INFO"}


def test_what_may_not_be_changed_is_left_out_and_said(console: Console) -> None:
    board, engineer = console.stack.board, console.stack.person("engineer")
    stop = RunRequest(tool=LEVEL, args=DEBUG, servers=SERVERS, reason="x")
    with pytest.raises(Forbidden):
        runs.start(board, engineer, stop, LIMITS)
    with pytest.raises(NotFound):
        runs.start(board, console.stack.person("customer"), stop, LIMITS)
    with pytest.raises(Missing):
        console.draft(reason=" ")
    with pytest.raises(Invalid):
        console.draft(servers=(), wanted=ServerFilter())
    with pytest.raises(Invalid) as wrong:
        console.draft(args={**DEBUG, "more": "x"})
    assert str(wrong.value.detail["field"]).startswith("arg-")
    scope = {"server": SERVERS[0]}
    never = {"kind": "never", "actions": [LEVEL]}
    rules_env.add(board, "freeze", never, console.stack.person("team_lead"), scope=scope)
    number = console.draft(servers=(*SERVERS, "MOF-DB-01"))
    found = {one.server: one for one in view.every_target(board, number)}
    assert (
        found[SERVERS[0]].state is TargetState.REFUSED
        and rules_env.SENTENCE in found[SERVERS[0]].rules
    )
    assert found["MOF-DB-01"].state is TargetState.REFUSED and found["MOF-DB-01"].why
    assert found[SERVERS[1]].state is TargetState.WAITING
    runs.stop(board, console.pm, number)
    assert console.show(number).state is RunState.CANCELLED
    restart = console.draft("service.restart", args={"service": "budget"})  # it has no undo
    assert set(console.states(restart).values()) == {TargetState.REFUSED}
    with pytest.raises(Refused):
        console.confirm(restart)


def test_a_change_ends_with_a_rejection_a_stop_or_the_kill_switch(console: Console) -> None:
    board = console.stack.board
    rejected = console.draft()
    console.stack.decide(console.confirm(rejected), approve=False)
    assert console.run(rejected).state is RunState.CANCELLED
    stopped = console.draft()
    sr_id = console.confirm(stopped)
    runs.stop(board, console.pm, stopped, "취소")
    assert console.show(stopped).state is RunState.CANCELLED
    assert console.stack.state(sr_id).value == "ABORTED"
    killed = console.draft()
    approve(console, console.confirm(killed))
    changes.advance(board, killed)  # running
    changes.advance(board, killed)  # the first server has its plan
    kill_switch.kill(board, console.pm, "시험")
    assert console.run(killed).state is RunState.STOPPED
    assert TargetState.OK not in console.states(killed).values()
    kill_switch.release(board, console.pm, "시험 끝")
    aborted = console.draft()
    approve(console, console.confirm(aborted))
    changes.advance(board, aborted)
    changes.advance(board, aborted)
    runs.stop(board, console.pm, aborted, "멈춤")
    assert console.run(aborted).state is RunState.STOPPED
    assert set(console.states(aborted).values()) == {TargetState.STOPPED}
    assert console.levels() == {"INFO"}
