"""A server that presents another host key is blocked by any command that meets it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from board_env import SERVER, BoardEnv
from sqlalchemy import update

from guardia.board.cmdb import offered_keys, servers, view
from guardia.board.core.actors import Actor
from guardia.board.core.plan import ToolCall
from guardia.board.execution import grants
from guardia.errors import ServerBlocked, Unreachable
from guardia.org import host_key
from guardia.org.directory import Host, Login
from guardia.org.model import Server
from guardia.tools.gate import Gate
from guardia.tools.transport import host_key_scan
from guardia.tools.transport.connections import Connections

OPERATOR = Actor.operator("cli")
LOAD = ToolCall(tool="host.load", args={})


def enrolled(env: BoardEnv, sshd: Any, **changed: Any) -> Host:
    found: Host = sshd.host(institution="MOF", **changed)
    servers.enrol(env.board, OPERATOR, found)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("other", ["ed25519", "rsa"])
def test_a_changed_key_of_any_type_blocks(
    env: BoardEnv, start_sshd: Callable[..., Any], other: str
) -> None:
    old, new = start_sshd(), start_sshd(key_type=other)
    enrolled(env, new, host_key=old.host().host_key)
    with Connections(new) as connections:
        gate = Gate(env.board, connections)
        with pytest.raises(Unreachable, match="호스트 키"):
            gate.inspect(OPERATOR, "TEST-01", LOAD)
        assert view.server(env.board, "TEST-01").blocked
        with pytest.raises(ServerBlocked):
            gate.inspect(OPERATOR, "TEST-01", LOAD)


@pytest.mark.slow
def test_an_agents_read_blocks_too(env: BoardEnv, start_sshd: Callable[..., Any]) -> None:
    old, new = start_sshd(), start_sshd()
    servers.remove(env.board, OPERATOR, SERVER.server_id)
    enrolled(env, new, server_id=SERVER.server_id, host_key=old.host().host_key)
    grant = grants.grant_reads(env.board, env.create_parsed_task())
    with Connections(new) as connections:
        gate = Gate(env.board, connections)
        with pytest.raises(Unreachable):
            gate.read(grant, LOAD)
        with pytest.raises(ServerBlocked):
            gate.read(grant, LOAD)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_scan_returns_the_key_that_the_server_has(
    start_sshd: Callable[..., Any], kind: str
) -> None:
    server = start_sshd(key_type=kind)
    key = server.host().host_key
    assert host_key_scan.scan(server.host()) == key
    assert host_key_scan.find(server.host(), host_key.fingerprint(key)) == key
    assert host_key_scan.find(server.host(), "SHA256:other") is None
    server.stop()
    with pytest.raises(Unreachable):
        host_key_scan.scan(server.host())


@pytest.mark.slow
def test_a_hop_with_another_key_is_blocked_and_not_the_server_behind_it(
    env: BoardEnv, start_sshd: Callable[..., Any]
) -> None:
    old, new = start_sshd(), start_sshd()
    enrolled(env, new, server_id="HOP-01", host_key=old.host().host_key)
    enrolled(env, new, login=Login(bastions=("HOP-01",)))
    with Connections(new) as connections, pytest.raises(Unreachable, match="경유 서버 HOP-01"):
        Gate(env.board, connections).inspect(OPERATOR, "TEST-01", LOAD)
    assert view.server(env.board, "HOP-01").blocked
    assert not view.server(env.board, "TEST-01").blocked


@pytest.mark.slow
def test_the_key_of_an_unconfirmed_server_is_kept_for_a_person(
    env: BoardEnv, start_sshd: Callable[..., Any]
) -> None:
    server = start_sshd()
    enrolled(env, server)
    with env.board.database.transaction() as session:  # as after an import without keys
        session.execute(update(Server).where(Server.server_id == "TEST-01").values(host_key=""))
    host = view.server(env.board, "TEST-01")
    with Connections(server) as connections, pytest.raises(Unreachable):
        Gate(env.board, connections).inspect(OPERATOR, host, LOAD)
    (kept,) = offered_keys.offered(env.board)
    pinned = server.host().host_key
    assert (kept.server_id, kept.fingerprint) == ("TEST-01", host_key.fingerprint(pinned))
    assert not view.server(env.board, "TEST-01").host_key  # nothing is trusted by that
