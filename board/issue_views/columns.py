"""Columns of the issue list. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

COLUMNS = (
    "status", "title", "server", "category", "priority", "agent", "engineer", "updated", "created",
    "due", "institution", "requester", "kind", "closed",
)  # fmt: skip
SHIPPED = ("status", "title", "server", "category", "priority", "agent", "engineer", "updated")
SORTED_BY: MappingProxyType[str, str] = MappingProxyType(
    {
        "status": "status",
        "title": "created",
        "category": "category",
        "priority": "priority",
        "engineer": "assignee",
        "updated": "updated",
        "created": "created",
        "due": "due",
        "institution": "institution",
    }
)
"""The sorting of the columns that have one; the title's begins with the number."""


def chosen_columns(names: Iterable[str]) -> tuple[str, ...]:
    """Return known columns in the list's order, always with the title; without any, the shipped."""
    wanted = set(names) & set(COLUMNS)
    return tuple(c for c in COLUMNS if c in wanted or c == "title") if wanted else SHIPPED
