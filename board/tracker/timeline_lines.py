"""Fold the items of a timeline into lines: repeated polls, runs of reads, repeated texts. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby
from typing import Any

from guardia.board.audit.kinds import EntryKind
from guardia.board.core.labels import SEOUL

Key = tuple[datetime, int, int]
"""Time, source (0 comment, 1 audit entry) and number of an item."""
_MIN_GROUP = 3
"""From this number on, reads in a row become one line that opens."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a command."""

    ok: bool
    milliseconds: int
    at: datetime


@dataclass(frozen=True, slots=True)
class EntryItem:
    """An audit entry; a command's intent has its result."""

    number: int
    at: datetime
    kind: str
    actor: str = ""
    text: str = ""
    hash: str = ""
    tool: str | None = None
    args: dict[str, Any] | None = None
    phase: str | None = None
    server: str | None = None
    reasons: list[str] | None = None
    closing_text: str | None = None
    result: Result | None = None

    @property
    def key(self) -> Key:
        """Return its place in the timeline."""
        return (self.at, 1, self.number)


@dataclass(frozen=True, slots=True)
class CommentItem:
    """A comment."""

    number: int
    at: datetime
    actor: str
    text: str
    length: int
    """Characters of the whole comment."""
    is_edited: bool = False
    is_deleted: bool = False

    @property
    def key(self) -> Key:
        """Return its place in the timeline."""
        return (self.at, 0, self.number)


Item = EntryItem | CommentItem


@dataclass(frozen=True, slots=True)
class EntryLine:
    """An entry of the audit log."""

    entry: EntryItem
    first: Key
    details: tuple[str, ...] = ()
    """Folded: the reasons of a triage."""

    @property
    def actors(self) -> tuple[str, ...]:
        """Return who is named."""
        return (self.entry.actor,)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A command, or the same read several times in a row with the same end."""

    entry: EntryItem
    first: Key
    times: int = 1
    until: datetime | None = None
    """When the last of several was sent."""

    @property
    def actors(self) -> tuple[str, ...]:
        """Return who is named."""
        return (self.entry.actor,)

    @property
    def state(self) -> str:
        """Return `running`, `ok` or `failed`."""
        result = self.entry.result
        return "running" if result is None else "ok" if result.ok else "failed"

    @property
    def is_read(self) -> bool:
        """Whether it changes nothing."""
        return self.entry.phase == "read"


@dataclass(frozen=True, slots=True)
class CommandGroup:
    """Several reads in a row."""

    commands: tuple[CommandLine, ...]

    @property
    def first(self) -> Key:
        """Return the place of the first one."""
        return self.commands[0].first

    @property
    def total(self) -> int:
        """Return how many commands were sent."""
        return sum(command.times for command in self.commands)

    @property
    def failed(self) -> int:
        """Return how many of them failed."""
        return sum(c.times for c in self.commands if c.state == "failed")

    @property
    def running(self) -> int:
        """Return how many of them have no result yet."""
        return sum(c.times for c in self.commands if c.state == "running")

    @property
    def tools(self) -> tuple[tuple[str, int], ...]:
        """Return the tools with their number of uses, most used first."""
        counted: Counter[str] = Counter()
        for command in self.commands:
            counted[command.entry.tool or ""] += command.times
        return tuple(counted.most_common())

    @property
    def actors(self) -> tuple[str, ...]:
        """Return who is named."""
        return tuple({c.entry.actor for c in self.commands})


@dataclass(frozen=True, slots=True)
class CommentLine:
    """A comment."""

    comment: CommentItem

    @property
    def first(self) -> Key:
        """Return its place."""
        return self.comment.key

    @property
    def actors(self) -> tuple[str, ...]:
        """Return who is named."""
        return (self.comment.actor,)


Line = EntryLine | CommandLine | CommandGroup | CommentLine


@dataclass(frozen=True, slots=True)
class Day:
    """The lines of one day in Seoul."""

    date: date
    lines: tuple[Line, ...] = field(default=())


def progress_only(entry: EntryItem) -> EntryItem:
    """Return an entry without content, as customers may see it."""
    return EntryItem(0, entry.at, entry.kind)


def fold(items: Sequence[Item]) -> list[Line]:
    """Return the lines of items, oldest first."""
    lines: list[Line] = []
    for is_read, run in groupby(_lines(items), key=_is_read):
        if not is_read:
            lines += run
            continue
        reads = list(_merge_polls([line for line in run if isinstance(line, CommandLine)]))
        total = sum(read.times for read in reads)
        lines += [CommandGroup(tuple(reads))] if total >= _MIN_GROUP else reads
    return lines


def by_day(lines: Sequence[Line]) -> tuple[Day, ...]:
    """Group lines by their day in Seoul."""
    days = groupby(lines, key=lambda line: line.first[0].astimezone(SEOUL).date())
    return tuple(Day(day, tuple(found)) for day, found in days)


def _is_read(line: Line) -> bool:
    return isinstance(line, CommandLine) and line.is_read


def _lines(items: Sequence[Item]) -> Iterator[Line]:
    """Yield a line per item; a comment that only repeats the entry after it becomes part of it."""
    repeated: CommentItem | None = None
    for number, item in enumerate(items):
        if isinstance(item, CommentItem):
            following = items[number + 1] if number + 1 < len(items) else None
            if _repeats(item, following):
                repeated = item
            else:
                yield CommentLine(item)
            continue
        first = repeated.key if repeated else item.key
        repeated = None
        if item.kind == EntryKind.INTENT:
            yield CommandLine(item, first)
        else:
            yield EntryLine(item, first, tuple(item.reasons or ()))


def _repeats(comment: CommentItem, following: Item | None) -> bool:
    """Return whether an agent's comment says what the entry right after it says."""
    if not isinstance(following, EntryItem) or following.actor != comment.actor:
        return False
    if following.reasons:
        listed = "\n".join(f"- {reason}" for reason in following.reasons)
        return comment.text.endswith(listed)
    return following.closing_text == comment.text


def _merge_polls(reads: Sequence[CommandLine]) -> Iterator[CommandLine]:
    """Merge the same reads in a row that ended alike."""
    for _, run in groupby(reads, key=_poll_key):
        same = list(run)
        last = same[-1]
        until = last.entry.at if len(same) > 1 else None
        yield CommandLine(last.entry, same[0].first, len(same), until)


def _poll_key(line: CommandLine) -> tuple[object, ...]:
    entry = line.entry
    args = sorted((entry.args or {}).items(), key=lambda pair: pair[0])
    return (entry.tool, entry.server, repr(args), line.state)
