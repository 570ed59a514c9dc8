"""The timeline of servers marks the row whose entry of the audit log is broken."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from board_env import LEAD, BoardEnv
from page_env import IssueScenario

from guardia.board.approvals import decisions
from guardia.board.audit import log
from guardia.board.dashboard import entry_marks
from guardia.board.dashboard.cards import NO_FILTERS, CardFilters
from guardia.board.dashboard.servers_card import ServersCard

REWRITES = {
    "text": "update tb_audit_log set log_content = '아무 일도 없었습니다' where seq = {seq}",
    "actor": "update tb_audit_log set actor = 'person:eng' where seq = {seq}",
    "time": "update tb_audit_log set created_at = created_at + interval '1 us' where seq = {seq}",
    "detail": "update tb_audit_log set detail = detail || '{{\"ok\": false}}' where seq = {seq}",
    "kind": "update tb_audit_log set kind = 'undone' where seq = {seq}",
    "hash": "update tb_audit_log set current_hash = repeat('a', 64) where seq = {seq}",
    "link": "update tb_audit_log set previous_hash = repeat('a', 64) where seq = {seq}",
    "before": "delete from tb_audit_log where seq = {seq} - 1",
}


def history(env: BoardEnv) -> None:
    scenario = IssueScenario(env).waiting()
    decisions.decide(
        env.board, LEAD, scenario.claim.task_id, approve=True, plan_hash=scenario.plan_hash
    )
    scenario.start().complete()


def attack(superuser: str, *statements: str) -> None:
    with psycopg.connect(superuser) as connection:
        connection.execute("set session_replication_role = replica")
        for statement in statements:
            connection.execute(statement)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("how", sorted(REWRITES))
def test_the_row_of_a_broken_entry_is_marked(web_env: BoardEnv, database: Any, how: str) -> None:
    history(web_env)
    before = ServersCard().read(web_env.board, LEAD, NO_FILTERS)
    assert len(before) == 3 and all(event.whole for event in before)
    broken = before[1].seq
    attack(database.superuser, REWRITES[how].format(seq=broken))
    after = ServersCard().read(web_env.board, LEAD, NO_FILTERS)
    assert {event.seq: event.whole for event in after} == {
        event.seq: event.seq != broken for event in before
    }


@pytest.mark.slow
def test_an_entry_rewritten_with_its_own_hash_is_marked(web_env: BoardEnv, database: Any) -> None:
    history(web_env)
    board = web_env.board
    newest, broken, *_ = (event.seq for event in ServersCard().read(board, LEAD, NO_FILTERS))
    attack(
        database.superuser,
        REWRITES["text"].format(seq=broken),
        f"update tb_audit_log set canonical = null where seq = {broken}",
    )
    with board.database.reading() as session:
        entry = log.entry_at(session, broken)
        assert entry is not None
        forged = entry.stored(None).hash()
    attack(
        database.superuser,
        f"update tb_audit_log set current_hash = '{forged}' where seq = {broken}",
    )
    with board.database.reading() as session:
        assert log.altered_entries(session, [broken]) == frozenset()
        assert entry_marks.broken(session, [newest, broken]) == {broken}


@pytest.mark.slow
def test_the_last_entry_is_compared_with_the_head(web_env: BoardEnv, database: Any) -> None:
    history(web_env)
    with web_env.board.database.reading() as session:
        last = log.head(session).size
        assert entry_marks.broken(session, [last, 1]) == frozenset()
    attack(database.superuser, "update tb_audit_head set head = repeat('b', 64)")
    with web_env.board.database.reading() as session:
        assert entry_marks.broken(session, [last, 1]) == {last}


@pytest.mark.slow
def test_a_server_has_a_timeline_of_its_own(web_env: BoardEnv) -> None:
    history(web_env)
    for server, number in (("MOF-DB-01", 3), ("MOF-WAS-01", 0)):
        found = ServersCard().read(web_env.board, LEAD, CardFilters(server=server))
        assert len(found) == number
