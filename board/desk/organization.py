"""Changes of the organization itself, on the record like everything else."""

from __future__ import annotations

from collections.abc import Sequence

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
    after = chart.parse(text)
    now = desk.clock()
    with desk.database.transaction() as session:
        held = revisions.hold(session)
        if expected_revision is not None and expected_revision != held:
            raise Stale(what=t("org.chart.name"))
        before = _understood(session) if held is not None else None
        revision = revisions.apply(session, text, author, now)
        if revision != held:
            found = changes.changes(before, after)
            audit.append(
                session,
                "org_applied",
                actor=author,
                now=now,
                detail={
                    "revision": revision,
                    "before": held,
                    "sha256": chart.fingerprint(text),
                    "changes": _recorded(found),
                },
                revision=revision,
                changes=len(found),
            )
        return revision


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
