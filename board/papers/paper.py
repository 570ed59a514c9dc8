"""A paper as data: sections of fields, tables and texts, ready for a writer. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

Value = str | int | float | None
"""What a field or a cell shows; `None` or an empty text is left for people to fill in."""
PaperKind = Literal["work_plan", "work_result", "incident", "inspection", "month"]
KINDS: tuple[PaperKind, ...] = get_args(PaperKind)
PaperFormat = Literal["hwpx", "xlsx", "html", "json"]
Alignment = Literal["left", "center", "right"]


@dataclass(frozen=True, slots=True)
class PaperField:
    """A label and its value."""

    label: str
    value: Value
    wide: bool = False
    """Whether it takes the whole width instead of half of it."""


@dataclass(frozen=True, slots=True)
class PaperColumn:
    """A column of a table."""

    label: str
    width: int
    """Its share of the width, compared with those of the other columns."""
    align: Alignment = "left"


@dataclass(frozen=True, slots=True)
class PaperTable:
    """A table with a heading for each column."""

    columns: tuple[PaperColumn, ...]
    rows: tuple[tuple[Value, ...], ...]

    @property
    def total_width(self) -> int:
        """Return the sum of the widths of its columns."""
        return sum(column.width for column in self.columns)


@dataclass(frozen=True, slots=True)
class PaperSection:
    """One part of a paper: its fields, or its table, below a title."""

    title: str
    fields: tuple[PaperField, ...] = ()
    table: PaperTable | None = None

    @property
    def field_rows(self) -> list[tuple[PaperField, ...]]:
        """Return the fields of each row: wide ones alone, the others in twos."""
        rows: list[tuple[PaperField, ...]] = []
        for one in self.fields:
            if not one.wide and rows and len(rows[-1]) == 1 and not rows[-1][0].wide:
                rows[-1] = (rows[-1][0], one)
            else:
                rows.append((one,))
        return rows


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper with everything that is on it."""

    title: str
    subject: str
    """Names the file, such as `SR-12`."""
    approvals: tuple[str, ...] = ()
    """Headings of the boxes in which people sign."""
    sections: tuple[PaperSection, ...] = ()
    note: str = ""

    @property
    def file_name(self) -> str:
        """Return the name of its file, without an ending."""
        return f"{self.title} {self.subject}".strip()


@dataclass(frozen=True, slots=True)
class PaperFacts:
    """The facts of a paper."""

    subject: str
    values: dict[str, Value]
    lists: dict[str, list[dict[str, Value]]] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    """Names of values and lists that the reader may not see: they are left out."""


def as_text(value: Value) -> str:
    """Return a value as people read it."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else value
