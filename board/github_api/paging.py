"""Pages of a list: `page` and `per_page`, and the links that lead to the others. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

from guardia.errors import Invalid
from guardia.i18n import t

MOST = 10_000
"""Rows that are counted and skipped. Behind them only the link `next` of a list leads on."""
DEFAULT = 30
_MOST_PER_PAGE = 100
_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The requested page."""

    number: int
    size: int
    after: str = ""
    """Cursor of the row before it, from the link to the next page."""

    @classmethod
    def of(cls, number: int, size: int, after: str = "") -> PageRequest:
        """Return the requested page; like GitHub, values out of range become the nearest."""
        return cls(max(1, number), min(max(1, size), _MOST_PER_PAGE), after)

    @property
    def offset(self) -> int:
        """How many rows come before it."""
        return (self.number - 1) * self.size

    def require_reachable(self, most: int = MOST) -> None:
        """Raise `Invalid` for a page so far back that it can only be reached by its link."""
        if not self.after and self.offset + self.size > most:
            raise Invalid(what="page", why=t("github.too_far", most=most))

    def cut(self, rows: Sequence[_Row]) -> list[_Row]:
        """Return the page of rows that are all in memory."""
        return list(rows[self.offset : self.offset + self.size])


def links(
    address: str,
    query: Iterable[tuple[str, str]],
    page: PageRequest,
    *,
    has_more: bool,
    total: int | None = None,
    cursor: str = "",
) -> str:
    """Return the value of the `Link` header; `total` is `None` for too many rows to count."""
    kept = [(k, v) for k, v in query if k not in {"page", "after"}]
    last = None if total is None else max(1, -(-total // page.size))
    places: list[tuple[str, int, str]] = []
    if page.number > 1:
        places.append(("prev", page.number - 1, ""))
    if has_more:
        places.append(("next", page.number + 1, cursor))
    if has_more and last is not None:
        places.append(("last", last, ""))
    if page.number > 1:
        places.append(("first", 1, ""))
    return ", ".join(
        f'<{address}?{urlencode([*kept, *_place(number, after)])}>; rel="{name}"'
        for name, number, after in places
    )


def _place(number: int, after: str) -> list[tuple[str, str]]:
    return [("page", str(number)), *([("after", after)] if after else [])]
