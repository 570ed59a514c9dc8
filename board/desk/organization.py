"""Changes of the organization itself, on the record like everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from guardia.board import audit
from guardia.board.desk.core import Desk
from guardia.errors import Misconfigured, Stale
from guardia.i18n import t, t_record
from guardia.org import changes, chart, registry, revisions
from guardia.org.changes import Change
from guardia.org.chart import OrgChart
from guardia.org.directory import Directory

_RECORDED = 200
"""Differences that an entry of the record names one by one; the revision keeps the whole text."""


def apply_chart(desk: Desk, text: str, author: str, expected_revision: int | None = None) -> int:
    """Make a chart the running organization; returns its revision. Unchanged: no new one.

    ``Stale`` where another revision runs than the one that the author has seen.
    """
    now = desk.clock()
    with desk.database.transaction() as session:
        applied = replace(session, text, author, now, expected_revision)
        record(session, applied, author, now)
        return applied.revision


@dataclass(frozen=True, slots=True)
class Applied:
    """A chart that has become the running one, or is it already."""

    revision: int
    before: int | None
    sha256: str
    changes: tuple[Change, ...]


def replace(
    session: Session, text: str, author: str, now: datetime, expected_revision: int | None = None
) -> Applied:
    """``apply_chart`` inside a larger transaction, which calls ``record`` at its end."""
    after = chart.parse(text)
    held = revisions.hold(session)
    if expected_revision is not None and expected_revision != held:
        raise Stale(what=t("org.chart.name"))
    before = _understood(session) if held is not None else None
    revision = revisions.apply(session, text, author, now)
    found = tuple(changes.changes(before, after))
    return Applied(revision, held, chart.fingerprint(text), found)


def record(session: Session, applied: Applied, author: str, now: datetime) -> None:
    """Put an applied chart on record; nothing where it was the running one before."""
    if applied.revision == applied.before:
        return
    audit.append(
        session,
        "org_applied",
        actor=author,
        now=now,
        detail={
            "revision": applied.revision,
            "before": applied.before,
            "sha256": applied.sha256,
            "changes": _recorded(applied.changes),
        },
        revision=applied.revision,
        changes=len(applied.changes),
    )


def _understood(session: Session) -> OrgChart | None:
    """The running chart; ``None`` where an older version wrote what this one does not read."""
    try:
        return revisions.running(session)
    except Misconfigured:
        return None


def _recorded(found: Sequence[Change]) -> list[str]:
    lines = [change.record() for change in found[:_RECORDED]]
    if len(found) > _RECORDED:
        lines.append(t_record("org.change.more", count=len(found) - _RECORDED))
    return lines or [t_record("org.change.wording")]


def enrol(desk: Desk, names: Directory, passwords: dict[str, str]) -> None:
    """Write institutions, servers and people; ``passwords`` for accounts that have none yet."""
    with desk.database.transaction() as session:
        registry.enrol(session, names, passwords)


def has_chart(desk: Desk) -> bool:
    """Whether an org chart has ever been applied."""
    with desk.database.reading() as session:
        return revisions.latest(session) is not None
