"""Reads that a person runs on a server outside of a task."""

from __future__ import annotations

import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, SERVER, BoardEnv
from sqlalchemy import update

from guardia.board.audit import log
from guardia.board.control import kill_switch
from guardia.board.core.actors import Actor
from guardia.board.core.plan import ToolCall
from guardia.board.execution import grants, inspections
from guardia.board.execution.commands import CommandResult, record_intent
from guardia.errors import Forbidden, Refused, ServerBlocked
from guardia.org.directory import Host, PersonInfo
from guardia.org.model import Server

READ = ToolCall(tool="host.load", args={})
NEW = Host(server_id="NEW-01", institution="MOF", kind="WEB", address="10.0.0.7", account="ops")
OPERATOR = Actor.operator("cli")
AUDITOR = PersonInfo(id="aud", name="감사", title="", role="auditor")


def record(env: BoardEnv, by: PersonInfo | Actor, host: Host = SERVER) -> inspections.Inspection:
    return inspections.record_inspection(env.board, by, host, READ, "cat /proc/loadavg")


def count(env: BoardEnv) -> int:
    with env.board.database.reading() as session:
        return log.head(session).size


def block(env: BoardEnv, reason: str) -> None:
    with env.board.database.transaction() as session:
        session.execute(
            update(Server).where(Server.server_id == SERVER.server_id).values(blocked=reason)
        )


@pytest.mark.parametrize("by", [ENGINEER, LEAD, OPERATOR])
def test_a_read_is_in_the_log_before_it_runs_and_afterwards(
    env: BoardEnv, by: PersonInfo | Actor
) -> None:
    inspection = record(env, by, NEW)
    inspections.record_inspection_result(
        env.board, inspection, CommandResult(True, {"load1": 0.5}, "0.5", 12)
    )
    with env.board.database.reading() as session:
        assert log.verify_all(session).intact
        before, after = list(log.entries(session))[-2:]
    actor = by if isinstance(by, Actor) else Actor.of(by)
    assert (before.kind, before.actor) == ("inspection", str(actor))
    assert before.detail["address"] == "10.0.0.7:22" and "10.0.0.7:22" in before.log_content
    assert before.detail["command"] == "cat /proc/loadavg"
    assert (after.kind, after.detail["inspection"]) == ("inspected", before.seq)


def test_a_failed_read_says_why(env: BoardEnv) -> None:
    inspection = record(env, LEAD)
    failed = CommandResult(False, {}, "연결 실패\x1b[31m", 3)
    inspections.record_inspection_result(env.board, inspection, failed)
    with env.board.database.reading() as session:
        last = list(log.entries(session))[-1]
    assert (last.kind, last.detail["why"]) == ("inspection_failed", "연결 실패[31m")


@pytest.mark.parametrize("by", [CUSTOMER, AUDITOR, Actor.agent("db-agent"), Actor.system("clock")])
def test_only_permitted_people_and_the_operator_inspect(
    env: BoardEnv, by: PersonInfo | Actor
) -> None:
    size = count(env)
    with pytest.raises(Forbidden):
        record(env, by)
    assert count(env) == size


def test_nothing_is_inspected_while_the_kill_switch_is_on(env: BoardEnv) -> None:
    kill_switch.kill(env.board, LEAD, "점검")
    size = count(env)
    with pytest.raises(Refused, match="전체 정지"):
        record(env, OPERATOR)
    assert count(env) == size


def test_a_blocked_server_is_neither_inspected_nor_worked_on(env: BoardEnv) -> None:
    claim = env.create_parsed_task()
    grant = grants.grant_reads(env.board, claim)
    block(env, "호스트 키가 바뀌었습니다.")
    size = count(env)
    with pytest.raises(ServerBlocked, match="호스트 키가 바뀌었습니다"):
        record(env, OPERATOR)
    with pytest.raises(ServerBlocked, match="호스트 키가 바뀌었습니다"):
        record_intent(env.board, grant, READ, "cat /proc/loadavg")
    assert count(env) == size
    block(env, "")
    assert record_intent(env.board, grant, READ, "cat /proc/loadavg").seq
