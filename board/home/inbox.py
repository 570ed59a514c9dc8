"""One inbox per person: everything that waits for them, the most urgent first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from guardia.board.core.context import BoardContext
from guardia.board.home.inbox_sources import SOURCES
from guardia.board.home.items import InboxItem, InboxSource
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo

_MOST_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Inbox:
    """What waits for a person."""

    items: tuple[InboxItem, ...]
    total: int
    by_kind: tuple[tuple[str, int], ...] = ()
    """Kinds of which something waits, with their number, in the order of `SOURCES`."""


def read_inbox(
    board: BoardContext, viewer: PersonInfo, sources: Iterable[InboxSource] = SOURCES
) -> Inbox:
    """Return the inbox of a person. An issue that waits for several reasons is in it once."""
    now = board.clock()
    by_path: dict[str, InboxItem] = {}
    numbers: list[tuple[str, int]] = []
    with board.database.reading() as session:
        for source in sources:
            if not is_allowed(viewer, source.permission):
                continue
            items, total = source.read(session, viewer, now)
            known = [item for item in items if item.path in by_path]
            by_path |= {item.path: item for item in items if item.path not in by_path}
            if total > len(known):
                numbers.append((source.kind, total - len(known)))
    order = sorted(by_path.values(), key=InboxItem.urgency)
    total = sum(number for _, number in numbers)
    return Inbox(tuple(order[:_MOST_SHOWN]), total, tuple(numbers))
