from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import psycopg
import pytest
from board_env import BoardEnv

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind


def append(env: BoardEnv, n: int) -> None:
    with env.board.database.transaction() as session:
        log.append(
            session,
            EntryKind.COMMENT,
            actor="person:lead",
            now=env.board.clock(),
            sr_id=None,
            detail={"n": n},
            text=str(n),
        )


def verdict(env: BoardEnv) -> log.ChainVerdict:
    with env.board.database.reading() as session:
        return log.verify_all(session)


def test_concurrent_writers_make_one_chain_in_time_order(env: BoardEnv) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: append(env, n), range(80)))
    assert verdict(env).intact
    with env.board.database.reading() as session:
        times = [link.created_at for link in log.entries(session)]
    assert len(times) >= 80
    assert all(a < b for a, b in pairwise(times))


def test_a_rollback_leaves_no_entry(env: BoardEnv) -> None:
    before = verdict(env).size

    class Failure(Exception):
        pass

    with pytest.raises(Failure), env.board.database.transaction() as session:
        log.append(session, EntryKind.COMMENT, actor="x", now=env.board.clock(), text="x")
        raise Failure
    append(env, 1)
    assert verdict(env).size == before + 1
    assert verdict(env).intact


@pytest.mark.parametrize("word", ["update", "delete", "truncate"])
def test_the_application_cannot_rewrite_the_audit_log(env: BoardEnv, word: str) -> None:
    sql = {
        "update": "update tb_audit_log set actor = 'x'",
        "delete": "delete from tb_audit_log",
        "truncate": "truncate tb_audit_log",
    }[word]
    with (
        psycopg.connect(env.dsn) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(sql)


def test_even_the_owner_is_stopped_by_the_trigger(env: BoardEnv, database: object) -> None:
    with (
        psycopg.connect(database.owner) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"),
    ):  # type: ignore[attr-defined]
        connection.execute("update tb_audit_log set actor = 'x'")


TAMPERING = {
    "content": "update tb_audit_log set log_content = 'x' where seq = 4",
    "deletion": "delete from tb_audit_log where seq = 4",
    "swap": "update tb_audit_log set seq = case seq when 4 then 5000 else seq end",
}


@pytest.mark.parametrize("how", TAMPERING)
def test_a_superuser_who_disables_the_trigger_is_found(
    env: BoardEnv, database: object, how: str
) -> None:
    for n in range(6):
        append(env, n)
    with psycopg.connect(database.superuser) as connection:  # type: ignore[attr-defined]
        connection.execute("alter table tb_audit_log disable trigger append_only")
        connection.execute(TAMPERING[how])
    assert verdict(env).bad == 4


def test_a_truncated_tail_is_found(env: BoardEnv, database: object) -> None:
    for n in range(6):
        append(env, n)
    with psycopg.connect(database.superuser) as connection:  # type: ignore[attr-defined]
        connection.execute("alter table tb_audit_log disable trigger append_only")
        connection.execute("delete from tb_audit_log where seq > 3")
    found = verdict(env)
    assert (found.bad, found.fault) == (4, "tail")


def test_the_view_reports_an_untouched_first_entry_as_valid(env: BoardEnv) -> None:
    append(env, 1)
    with psycopg.connect(env.dsn) as connection:
        rows = connection.execute("select integrity_status from v_audit_integrity").fetchall()
    assert {row[0] for row in rows} == {"VALID"}


def test_hostile_text_is_stored_as_text(env: BoardEnv) -> None:
    hostile = "'); drop table tb_audit_log; -- \x00\ud800 {who} {text}"
    with env.board.database.transaction() as session:
        log.append(
            session,
            EntryKind.COMMENT,
            actor="x",
            now=env.board.clock(),
            detail={"t": hostile},
            text=hostile,
        )
    assert verdict(env).intact
