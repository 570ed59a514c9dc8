"""Changes of the organization itself, on the record like everything else."""

from __future__ import annotations

from guardia.board import audit
from guardia.board.desk.core import Desk
from guardia.org import chart, registry
from guardia.org.directory import Directory


def apply_chart(desk: Desk, text: str, author: str) -> int:
    """Make a chart the running organization; returns its revision. Unchanged: no new one."""
    now = desk.clock()
    with desk.database.transaction() as session:
        before = chart.latest_revision(session)
        revision = chart.apply(session, text, author, now)
        if revision != before:
            audit.append(
                session,
                "org_applied",
                actor=author,
                now=now,
                detail={"revision": revision, "sha256": chart.fingerprint(text)},
                revision=revision,
            )
        return revision


def enrol(desk: Desk, names: Directory, passwords: dict[str, str]) -> None:
    """Write institutions, servers and people; ``passwords`` for accounts that have none yet."""
    with desk.database.transaction() as session:
        registry.enrol(session, names, passwords)


def has_chart(desk: Desk) -> bool:
    """Whether an org chart has ever been applied."""
    with desk.database.reading() as session:
        return chart.latest_revision(session) is not None
