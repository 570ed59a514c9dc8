"""Find issues by words in their text, at the same cost for a hit and a miss.

Words that many issues contain are found among the first issues of the list; words that few contain,
through the index of character pairs. Neither way alone is cheap for both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, not_, or_, select, union_all
from sqlalchemy.orm import Session

from guardia.board.core.issue_ref import parse_issue_ref
from guardia.board.core.model import Issue
from guardia.board.tracker.issue_sort import EXPRESSIONS
from guardia.board.tracker.model import SearchText
from guardia.org.model import Institution, Person
from guardia.text import fold

WINDOW = 1_500
"""Issues of the list that are compared before the index is asked."""
_MOST_NAMES = 200


@dataclass(frozen=True, slots=True)
class Word:
    """A searched word, and the institutions, people and the issue that it names."""

    text: str
    institutions: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    number: int | None = None

    @property
    def is_plain(self) -> bool:
        """Whether only texts can contain it."""
        return not (self.institutions or self.people or self.number is not None)


def read_words(session: Session, texts: Iterable[str]) -> list[Word]:
    """Return the searched words with what they name."""
    return [_read_word(session, text) for text in texts]


def _read_word(session: Session, text: str) -> Word:
    name = fold(text)
    places = select(Institution.inst_id).where(
        Institution.inst_name.icontains(name, autoescape=True)
    )
    people = select(Person.person_id).where(Person.name.icontains(name, autoescape=True))
    return Word(
        text,
        tuple(session.scalars(places.limit(_MOST_NAMES))),
        tuple(session.scalars(people.limit(_MOST_NAMES))),
        parse_issue_ref(text),
    )


def contains(word: Word) -> ColumnElement[bool]:
    """Return the condition for issues that contain a word, decided row by row."""
    # A scalar subquery is never turned into a join, which would read the texts of all issues.
    form = func.strpos(SearchText.form, func.search_form(word.text)) > 0
    in_text = select(form).where(SearchText.sr_id == Issue.sr_id).scalar_subquery()
    return or_(func.coalesce(in_text, False), *_names(word))


def lacks(word: Word) -> ColumnElement[bool]:
    """Return the condition for issues that do not contain a word."""
    return not_(contains(word))


def _names(word: Word) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if word.institutions:
        found.append(EXPRESSIONS["institution"].in_(word.institutions))
    if word.people:
        found.append(EXPRESSIONS["assignee"].in_(word.people))
    if word.number is not None:
        found.append(Issue.sr_id == word.number)
    return found


def _texts_with(words: Iterable[Word]) -> Select[Any]:
    pairs = func.search_pairs(SearchText.form)
    conditions = []
    for word in words:
        form = func.search_form(word.text)
        conditions += [
            pairs.op("@@")(func.search_query(form)),
            func.strpos(SearchText.form, form) > 0,
        ]
    return select(SearchText.sr_id).where(*conditions)


def among_indexed(words: list[Word]) -> ColumnElement[bool]:
    """Return the condition for issues that contain all words, decided by the indexes."""
    plain = [word for word in words if word.is_plain]
    first = plain or words[:1]
    found: Any = _texts_with(first)
    if not plain:
        found = union_all(found, *(select(Issue.sr_id).where(one) for one in _names(words[0])))
    # Kept apart, so that no plan walks the whole list in search of them.
    numbers = found.cte("found").prefix_with("MATERIALIZED")
    rest = [contains(word) for word in words if word not in first]
    return and_(Issue.sr_id.in_(select(numbers.c.sr_id)), *rest)
