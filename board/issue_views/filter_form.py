"""The fields beside the filter, from which its terms are made without a script."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, Field
from sqlalchemy import select

from guardia.board.core.context import BoardContext
from guardia.board.tracker.filter_terms import quoted
from guardia.board.tracker.filter_values import fixed_values
from guardia.org.directory import PersonInfo
from guardia.org.model import Institution
from guardia.text import CleanStr

_MOST = 1000
_CHOSEN = ("is", "status", "priority", "category", "kind")
_WRITTEN = ("assignee", "author", "server")


class FilterForm(BaseModel):
    """What a person has chosen; empty fields add nothing."""

    f_is: CleanStr = Field("", max_length=40)
    f_status: CleanStr = Field("", max_length=40)
    f_priority: CleanStr = Field("", max_length=40)
    f_category: CleanStr = Field("", max_length=40)
    f_kind: CleanStr = Field("", max_length=40)
    f_institution: CleanStr = Field("", max_length=80)
    f_assignee: CleanStr = Field("", max_length=80)
    f_author: CleanStr = Field("", max_length=80)
    f_server: CleanStr = Field("", max_length=80)
    f_from: CleanStr = Field("", max_length=10)
    f_to: CleanStr = Field("", max_length=10)

    def added_to(self, words: str) -> str:
        """Return a filter with the chosen terms at its end."""
        named = {name: getattr(self, f"f_{name}") for name in (*_CHOSEN, "institution", *_WRITTEN)}
        terms = [f"{name}:{quoted(value)}" for name, value in named.items() if value.strip()]
        if self.f_from or self.f_to:
            terms.append(f"created:{self.f_from or '*'}..{self.f_to or '*'}")
        return " ".join([*words.split(), *(term for term in terms if term not in words.split())])


@dataclass(frozen=True, slots=True)
class FieldChoices:
    """A field with the values that it offers, each with its name; none for one to type in."""

    name: str
    values: tuple[tuple[str, str], ...] = ()


def choices(board: BoardContext, viewer: PersonInfo) -> list[FieldChoices]:
    """Return the fields of the form, in the language of the page when their names are read."""
    fixed = [
        FieldChoices(name, tuple((value, value) for value in fixed_values(name)))
        for name in _CHOSEN
    ]
    return [
        *fixed,
        FieldChoices("institution", _institutions(board, viewer)),
        *map(FieldChoices, _WRITTEN),
    ]


def _institutions(board: BoardContext, viewer: PersonInfo) -> tuple[tuple[str, str], ...]:
    if viewer.role == "customer":
        return ()
    query = select(Institution.inst_id, Institution.inst_name).order_by(Institution.inst_name)
    with board.database.reading() as session:
        return tuple((row[0], row[1]) for row in session.execute(query.limit(_MOST)))
