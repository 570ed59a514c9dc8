"""Lay out a tool's findings as blocks for a page: fields, tables and lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from guardia.i18n import DEFAULT_LANGUAGE, catalogue

_ROWS = 50
# PostgreSQL does not keep the key order of jsonb, so the catalogue's order is shown.
_ORDER = {name: n for n, name in enumerate(catalogue(DEFAULT_LANGUAGE, "web")["field"])}


@dataclass(frozen=True, slots=True)
class FieldBlock:
    """Single values by name."""

    values: tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class TableBlock:
    """A list of records with the same fields."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    more: int
    """Number of rows that are not shown."""


@dataclass(frozen=True, slots=True)
class ListBlock:
    """A list of plain values, e.g. lines of a log."""

    name: str
    values: tuple[Any, ...]


Block = FieldBlock | TableBlock | ListBlock


def blocks(findings: Mapping[str, Any]) -> list[Block]:
    """Return the findings as blocks, single values first."""
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
    """Return names in the catalogue's order; unknown ones last, alphabetically."""
    return sorted(names, key=lambda n: (_ORDER.get(n, len(_ORDER)), n))


def _list(name: str, values: list[Any]) -> Block:
    if not values or not all(isinstance(v, Mapping) for v in values):
        return ListBlock(name, tuple(_flat(v) for v in values))
    columns = tuple(ordered({c for v in values for c in v}))
    rows = tuple(tuple(_flat(v.get(c)) for c in columns) for v in values[:_ROWS])
    return TableBlock(name, columns, rows, max(0, len(values) - _ROWS))


def _flat(value: Any) -> Any:
    """Return a value as text or number for one cell."""
    if isinstance(value, list):
        return ", ".join(str(_flat(v)) for v in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{n}={_flat(v)}" for n, v in value.items())
    return value
