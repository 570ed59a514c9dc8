"""What a loader returns, and what it raises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from guardia.knowledge.passages import Block

MAX_CHARACTERS = 4_000_000
"""Characters of one document: a book of 2,000 pages."""
MAX_PAGES = 2_000


class Unreadable(Exception):
    """A file that cannot be read. `problem` names a text of `documents.problem`."""

    def __init__(self, problem: str, **values: object) -> None:
        super().__init__(problem)
        self.problem = problem
        self.values = {name: str(value)[:200] for name, value in values.items()}


@dataclass(frozen=True, slots=True)
class Reading:
    """The content of a file."""

    format: str
    blocks: Sequence[Block]
    pages: int = 0


@contextmanager
def damaged_if_it_fails() -> Iterator[None]:
    """Raise `Unreadable` for any error of a library: damaged files make it fail in many ways."""
    try:
        yield
    except (Unreadable, MemoryError, RecursionError):
        raise
    except Exception as error:
        raise Unreadable("damaged") from error


def require_pages(count: int) -> None:
    """Raise `Unreadable` for more pages, sheets or slides than are read."""
    if count > MAX_PAGES:
        raise Unreadable("too_many_pages", count=count, most=MAX_PAGES)


def require_length(blocks: Sequence[Block]) -> None:
    """Raise `Unreadable` for more text than is kept."""
    size = sum(len(b.text) + sum(len(cell) for row in b.rows for cell in row) for b in blocks)
    if size > MAX_CHARACTERS:
        raise Unreadable("too_long", count=size, most=MAX_CHARACTERS)
