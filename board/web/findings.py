"""What a tool found, as blocks that a page can lay out: facts, and tables of records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from guardia.i18n import DEFAULT_LANGUAGE, catalogue

_ROWS = 50
# The database keeps no order of names, so the catalogue's order is the order for readers.
_ORDER = {name: n for n, name in enumerate(catalogue(DEFAULT_LANGUAGE, "web")["field"])}


@dataclass(frozen=True, slots=True)
class FieldBlock:
    """Single values by name."""

    values: tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class TableBlock:
    """A list of equal things."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    more: int
    """How many rows are not shown."""


@dataclass(frozen=True, slots=True)
class ListBlock:
    """A list of plain values, e.g. lines of a log."""

    name: str
    values: tuple[Any, ...]


Block = FieldBlock | TableBlock | ListBlock


def blocks(findings: Mapping[str, Any]) -> list[Block]:
    """Single values first, then what is made of parts."""
    single = tuple(
        (n, findings[n]) for n in ordered(findings) if not isinstance(findings[n], list | Mapping)
    )
    found: list[Block] = [FieldBlock(single)] if single else []
    for name in ordered(findings):
        value = findings[name]
        if isinstance(value, Mapping):
            found.append(FieldBlock(tuple((f"{name}.{n}", _flat(v)) for n, v in value.items())))
        elif isinstance(value, list):
            found.append(_list(name, value))
    return found


def ordered(names: Iterable[str]) -> list[str]:
    """Names as people want to read them; unknown ones last, by name."""
    return sorted(names, key=lambda n: (_ORDER.get(n, len(_ORDER)), n))


def _list(name: str, values: list[Any]) -> Block:
    if not values or not all(isinstance(v, Mapping) for v in values):
        return ListBlock(name, tuple(_flat(v) for v in values))
    columns = tuple(ordered({c for v in values for c in v}))
    rows = tuple(tuple(_flat(v.get(c)) for c in columns) for v in values[:_ROWS])
    return TableBlock(name, columns, rows, max(0, len(values) - _ROWS))


def _flat(value: Any) -> Any:
    """A value that fits one cell."""
    if isinstance(value, list):
        return ", ".join(str(_flat(v)) for v in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{n}={_flat(v)}" for n, v in value.items())
    return value
