"""Read the entries of the CMDB as people write them, and their history."""

from __future__ import annotations

from typing import Any

from guardia.board.cmdb import record_store, revisions
from guardia.board.cmdb.applying import ChangeSet, rollback_set
from guardia.board.cmdb.changes import CmdbDifference
from guardia.board.cmdb.records import KINDS
from guardia.board.cmdb.revisions import RevisionSummary
from guardia.board.core.context import BoardContext


def entries(board: BoardContext, kind: str) -> list[dict[str, Any]]:
    """Return all entries of a kind in a fixed order."""
    with board.database.reading() as session:
        found = record_store.load(session, kind)
    return [found[key] for key in sorted(found)]


def all_entries(board: BoardContext) -> dict[str, dict[str, dict[str, Any]]]:
    """Return all entries by kind and key, as of one moment."""
    with board.database.reading() as session:
        return {kind: record_store.load(session, kind) for kind in KINDS}


def history(
    board: BoardContext, *, before: int | None = None, limit: int = 50, key: str | None = None
) -> list[RevisionSummary]:
    """Return revisions, newest first; with `key`, only those that changed this entry."""
    with board.database.reading() as session:
        return revisions.history(session, before=before, limit=limit, key=key)


def changes_of(board: BoardContext, number: int) -> list[CmdbDifference]:
    """Return what a revision changed. Raises `NotFound` if there is no such revision."""
    with board.database.reading() as session:
        return revisions.changes_of(session, number)


def rollback_to(board: BoardContext, number: int) -> ChangeSet:
    """Return what restores the state after a revision. Raises `NotFound` if there is none."""
    with board.database.reading() as session:
        return rollback_set(session, number)
