"""The gate runs a person's read outside of a task, on a real sshd."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from board_env import LEAD, SECOND_SERVER, TERMINATE, BoardEnv
from inflight_env import SlowTransport, count_sleeping_commands
from waiting import PATIENCE, wait_until

from guardia.board.audit import log
from guardia.board.control import kill_switch
from guardia.board.core.actors import Actor
from guardia.board.core.plan import ToolCall
from guardia.errors import Interrupted, Refused, Unreachable
from guardia.tools.gate import Gate
from guardia.tools.transport.connections import Connections

OPERATOR = Actor.operator("cli")
LOAD = ToolCall(tool="host.load", args={})


def kinds(env: BoardEnv) -> list[str]:
    with env.board.database.reading() as session:
        return [entry.kind for entry in log.entries(session)]


def test_a_read_runs_on_a_server_that_is_not_registered(
    env: BoardEnv, start_sshd: Callable[..., Any]
) -> None:
    server = start_sshd()
    with Connections(server) as connections:
        gate = Gate(env.board, connections)
        found = gate.inspect(OPERATOR, server.host(server_id="NEW-01"), LOAD)
    assert found["cores"] >= 1
    assert kinds(env)[-2:] == ["inspection", "inspected"]


def test_a_change_is_refused_before_anything_is_recorded(env: BoardEnv) -> None:
    before = kinds(env)
    with Connections({}) as connections, pytest.raises(Refused, match="조회 도구"):  # type: ignore[arg-type]
        Gate(env.board, connections).inspect(LEAD, SECOND_SERVER.server_id, TERMINATE)
    assert kinds(env) == before


def test_a_silent_server_is_recorded(env: BoardEnv, start_sshd: Callable[..., Any]) -> None:
    server = start_sshd()
    server.stop()
    with Connections(server) as connections, pytest.raises(Unreachable):
        Gate(env.board, connections).inspect(OPERATOR, server.host(), LOAD)
    assert kinds(env)[-2:] == ["inspection", "inspection_failed"]


@pytest.mark.slow
def test_the_kill_switch_ends_a_running_read(env: BoardEnv, start_sshd: Callable[..., Any]) -> None:
    server = start_sshd()
    ended: list[BaseException] = []
    with Connections(server) as connections:
        gate = Gate(env.board, SlowTransport(connections))

        def inspect() -> None:
            try:
                gate.inspect(LEAD, server.host(), LOAD)
            except Interrupted as error:
                ended.append(error)

        before = count_sleeping_commands()
        running = threading.Thread(target=inspect)
        running.start()
        assert wait_until(lambda: count_sleeping_commands() > before)
        assert gate.interrupt() == 0
        kill_switch.kill(env.board, LEAD, "점검")
        assert gate.interrupt() == 1
        running.join(PATIENCE)
    assert ended and count_sleeping_commands() == before
    assert "inspection_failed" in kinds(env)
