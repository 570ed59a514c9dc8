"""Part of the record as it grows, on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text
from sqlalchemy import ColumnElement, select

from guardia.board.audit import log
from guardia.board.audit.model import AuditEntry
from guardia.board.core.context import Desk
from guardia.board.core.labels import SEOUL
from guardia.org import registry

_COLOURS = {
    "approved": "green",
    "completed": "bold blue",
    "failed": "bold red",
    "rejected": "red",
    "broken": "bold red",
    "handed_over": "magenta",
    "planned": "cyan",
    "verified": "green",
    "intent": "dim",
    "result": "dim",
}
_ACTOR_WIDTH = 14
_TIME_WIDTH = 10


class Timeline:
    """Prints every new entry once that fits ``which``, with the actor's Korean name."""

    def __init__(
        self, desk: Desk, console: Console, which: ColumnElement[bool], after: int = 0
    ) -> None:
        self._desk = desk
        self._console = console
        self._which = which
        self._last = after
        with desk.database.reading() as session:
            names = registry.directory(session)
        self._names = {f"agent:{a.id}": a.title for a in names.agents} | {
            f"person:{p.id}": f"{p.name} {p.title}" for p in names.people
        }

    def show_new(self) -> list[str]:
        """Print what has come since the last call; returns the kinds of those entries."""
        with self._desk.database.reading() as session:
            rows = session.execute(
                select(
                    AuditEntry.seq,
                    AuditEntry.created_at,
                    AuditEntry.actor,
                    AuditEntry.kind,
                    AuditEntry.log_content,
                )
                .where(self._which, AuditEntry.seq > self._last)
                .order_by(AuditEntry.seq)
            ).all()
        for row in rows:
            self._last = row.seq
            self._line(row.created_at, row.actor, row.kind, row.log_content)
        return [row.kind for row in rows]

    def _line(self, moment: datetime, actor: str, kind: str, sentence: str) -> None:
        row = Table.grid(padding=(0, 2))
        row.add_column(width=_TIME_WIDTH, style="dim")
        row.add_column(width=_ACTOR_WIDTH)
        row.add_column(ratio=1, overflow="fold")
        clock = f"{moment.astimezone(SEOUL):%H:%M:%S.%f}"[:_TIME_WIDTH]
        name = self._names.get(actor, actor.removeprefix("channel:"))
        row.add_row(clock, Text(name), Text(sentence, _COLOURS.get(kind, "")))
        self._console.print(row)

    @contextmanager
    def waiting(self, words: str) -> Iterator[Status]:
        """A moving line below the entries while something is awaited."""
        with self._console.status(words) as status:
            yield status


def now_at(desk: Desk) -> int:
    """How long the record is now."""
    with desk.database.reading() as session:
        return log.head(session).size
