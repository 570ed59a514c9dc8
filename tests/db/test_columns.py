"""Every column of text stores clean text, regardless of the way by which it comes."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from board_env import BoardEnv, open_env
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import JSON, Column, String, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from stored_texts import stored_texts, unclean_texts

import guardia.board.control.directives
import guardia.board.site.app  # noqa: F401  (both describe their tables when they are imported)
from guardia.board.core.model import Issue, OutboxEntry
from guardia.db.base import Base
from guardia.db.columns import CleanJsonb, CleanText
from guardia.text import clean, clean_json

HOSTILE = "각\u202e가\x00\x1b[31m\u2066나\ud800\x85다"
COLUMNS = {f"{t.name}.{c.name}": c for t in Base.metadata.tables.values() for c in t.columns}
TEXTS = {
    name: column
    for name, column in COLUMNS.items()
    if isinstance(column.type, CleanText | CleanJsonb | String | JSON)
}


@pytest.fixture
def empty(database: Any) -> Any:
    with open_env(database.app) as found:
        yield found


@pytest.mark.parametrize("name", TEXTS)
def test_a_column_of_text_cleans_what_it_stores(name: str) -> None:
    column: Column[Any] = TEXTS[name]
    assert isinstance(column.type, CleanText | CleanJsonb)
    bind = column.type.process_bind_param
    assert bind(HOSTILE, PGDialect_psycopg()) == clean(HOSTILE)
    assert bind(None, PGDialect_psycopg()) is None


def test_all_tables_are_looked_at() -> None:
    assert len(TEXTS) > 200 and {"tb_comment.body", "tb_ops_task.plan"} <= TEXTS.keys()


def _message(text: Any) -> dict[str, Any]:
    return {"kind": "message", "text": text, "created_at": "2026-11-20T05:00:00Z"}


@pytest.mark.slow
@given(st.text(st.characters(), max_size=30))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_stored_clean_and_found_again(empty: BoardEnv, text: str) -> None:
    board = empty.board
    with board.database.transaction() as session:
        session.execute(insert(OutboxEntry).values(**_message(text)))
        found = select(OutboxEntry.text).where(OutboxEntry.text == text).limit(1)
        assert session.scalar(found) == clean(text)
        contained = select(OutboxEntry.text).where(OutboxEntry.text.contains(text, autoescape=True))
        assert clean(text) in session.scalars(contained).all()
    assert unclean_texts(empty.dsn) == []


def test_objects_and_statements_store_the_same(empty: BoardEnv) -> None:
    now = empty.board.clock()
    words = {"title": HOSTILE, "body": HOSTILE, "status": "RECEIVED", "channel": "web"}
    with empty.board.database.transaction() as session:
        issue = Issue(**words, triage={HOSTILE: [HOSTILE, 1.5]}, created_at=now, updated_at=now)
        session.add(issue)
        session.flush()
        session.refresh(issue)
        assert (issue.title, issue.body) == (clean(HOSTILE), clean(HOSTILE))
        assert issue.triage == clean_json({HOSTILE: [HOSTILE, 1.5]})
        inside = Issue.triage[clean(HOSTILE)][0].as_string() == clean(HOSTILE)
        assert session.scalar(select(Issue.sr_id).where(inside)) == issue.sr_id


def test_what_is_unclean_is_found(empty: BoardEnv) -> None:
    """The comparison above must be able to fail."""
    with psycopg.connect(empty.dsn) as connection:
        connection.execute(
            "insert into tb_outbox (kind, text, created_at) values ('message', %s, now())",
            ["가\u202e나"],
        )
    assert unclean_texts(empty.dsn) == [("tb_outbox.text", "가\u202e나")]
    assert ("tb_outbox.kind", "message") in stored_texts(empty.dsn)
