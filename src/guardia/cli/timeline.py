"""Live view of audit entries in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from guardia.board.audit.kinds import EntryKind
from guardia.board.cmdb import view as cmdb
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.labels import SEOUL
from guardia.board.core.lifecycle import ActorKind
from guardia.board.integrity import entries

_COLOURS = {
    EntryKind.APPROVED: "green",
    EntryKind.COMPLETED: "bold blue",
    EntryKind.FAILED: "bold red",
    EntryKind.REJECTED: "red",
    EntryKind.BROKEN: "bold red",
    EntryKind.HANDED_OVER: "magenta",
    EntryKind.OBSERVED: "magenta",
    EntryKind.PLANNED: "cyan",
    EntryKind.VERIFIED: "green",
    EntryKind.INTENT: "dim",
    EntryKind.RESULT: "dim",
}
_ACTOR_WIDTH = 14
_TIME_WIDTH = 10


class AuditTimeline:
    """Print each new entry of an issue or an actor once, with the actor's name."""

    def __init__(
        self,
        board: BoardContext,
        console: Console,
        *,
        sr_id: int | None = None,
        actor: Actor | None = None,
        after: int = 0,
    ) -> None:
        self._board = board
        self._console = console
        self._sr_id, self._actor = sr_id, actor
        self._last = after
        names = cmdb.directory(board)
        self._names = {Actor.agent(a.id): a.title for a in names.agents} | {
            Actor.person(p.id): f"{p.name} {p.title}" for p in names.people
        }

    def print_new(self) -> list[str]:
        """Print the entries since the last call, and return their kinds."""
        new = entries.after(self._board, self._last, sr_id=self._sr_id, actor=self._actor)
        for entry in new:
            self._last = entry.seq
            self._print_entry(entry.created_at, entry.actor, entry.kind, entry.sentence)
        return [entry.kind for entry in new]

    def _print_entry(self, moment: datetime, actor: str, kind: str, sentence: str) -> None:
        row = Table.grid(padding=(0, 2))
        row.add_column(width=_TIME_WIDTH, style="dim")
        row.add_column(width=_ACTOR_WIDTH)
        row.add_column(ratio=1, overflow="fold")
        clock = f"{moment.astimezone(SEOUL):%H:%M:%S.%f}"[:_TIME_WIDTH]
        name = self._name_of(actor)
        row.add_row(clock, Text(name), Text(sentence, _COLOURS.get(EntryKind(kind), "")))
        self._console.print(row)

    def _name_of(self, stored: str) -> str:
        actor = Actor.parse(stored)
        if actor is None:
            return stored
        unnamed = actor.id if actor.kind is ActorKind.CHANNEL else stored
        return self._names.get(actor, unnamed)

    @contextmanager
    def spinner(self, words: str) -> Iterator[Status]:
        """Show a spinner below the entries while waiting."""
        with self._console.status(words) as status:
            yield status
