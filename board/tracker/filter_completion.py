"""Complete the term of the issue filter in which the cursor is: keys, then their values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import MappingProxyType

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from guardia.board.core.context import BoardContext
from guardia.board.tracker import filter_values
from guardia.board.tracker.filter_terms import KEYS, key_named, quoted
from guardia.i18n import t
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo
from guardia.org.model import Agent, Institution, Person, Server
from guardia.text import fold

MOST = 12
_LAST = re.compile(r'(?:[^\s"]|"[^"]*(?:"|$))*$')
_EXAMPLES = (">=@today-7d", "@today", ">=@today-30d", "2026-11", "2026-11-01..2026-11-30")


@dataclass(frozen=True, slots=True)
class Completion:
    """A choice: the whole filter with it, and where the cursor is after it."""

    label: str
    detail: str
    words: str
    at: int


def complete(board: BoardContext, viewer: PersonInfo, words: str, at: int) -> list[Completion]:
    """Return what can be written at a place of a filter."""
    before, behind = words[:at], words[at:]
    found = _LAST.search(before)
    written = found[0] if found else ""
    rest = behind if behind[:1].isspace() or not behind else behind.lstrip('"')
    head = before[: len(before) - len(written)]
    sign = "-" if written.startswith("-") else ""
    with board.database.reading() as session:
        choices = list(_choices(session, viewer, written.removeprefix("-")))
    return [_completed(head + sign, text, detail, rest) for text, detail in choices[:MOST]]


def _completed(head: str, text: str, detail: str, rest: str) -> Completion:
    # A key goes on with its value; a value is done.
    end = "" if text.endswith(":") else " "
    return Completion(text, detail, head + text + end + rest.lstrip(), len(head + text + end))


def _choices(session: Session, viewer: PersonInfo, written: str) -> Iterator[tuple[str, str]]:
    name, colon, value = fold(written).partition(":")
    if not colon:
        yield from _keys(name)
        return
    key = key_named(name)
    if key is None:
        return
    *earlier, last = value.split(",")
    start = ",".join([f"{name}:" + earlier[0], *earlier[1:]]) + "," if earlier else f"{name}:"
    for text, detail in _values(session, viewer, key, last.strip('"')):
        yield start + quoted(text), detail


def _keys(written: str) -> Iterator[tuple[str, str]]:
    low = written.lower()
    for key in KEYS:
        label = t(f"issues.key.{key}")
        if key.startswith(low) or label.startswith(written):
            yield f"{key}:", label


def _values(
    session: Session, viewer: PersonInfo, key: str, written: str
) -> Iterator[tuple[str, str]]:
    low = written.lower()
    for value in filter_values.fixed_values(key):
        label = _label(key, value)
        if low in value.lower() or low in label.lower():
            yield value, label
    if key in filter_values.DATES:
        yield from ((text, t("issues.complete.date")) for text in _EXAMPLES if text.startswith(low))
    if key in filter_values.PEOPLE and "@me".startswith(low):
        yield "@me", t("issues.complete.me")
    find = _STORED.get(key)
    if find is not None and (query := find(viewer, written)) is not None:
        yield from ((row[0], row[1]) for row in session.execute(query.limit(MOST)))


def _label(key: str, value: str) -> str:
    if key != "sort":
        return filter_values.value_label(key, value)
    name, _, way = value.partition("-")
    return f"{t('issues.sort.' + name)} {t('issues.sort.' + way)}"


def _people(viewer: PersonInfo, written: str) -> Select[str, str] | None:
    if viewer.role == "customer":
        return None
    query = select(Person.person_id, Person.name + " " + Person.title).where(
        Person.active,
        or_(
            Person.person_id.istartswith(written, autoescape=True),
            Person.name.icontains(written, autoescape=True),
        ),
    )
    return query.order_by(Person.person_id)


def _institutions(viewer: PersonInfo, written: str) -> Select[str, str] | None:
    query = select(Institution.inst_id, Institution.inst_name).where(
        or_(
            Institution.inst_id.istartswith(written, autoescape=True),
            Institution.inst_name.icontains(written, autoescape=True),
        )
    )
    if viewer.role == "customer":
        query = query.where(Institution.inst_id == (viewer.institution or ""))
    return query.order_by(Institution.inst_name)


def _servers(viewer: PersonInfo, written: str) -> Select[str, str] | None:
    if not is_allowed(viewer, "server.read"):
        return None
    query = select(Server.server_id, Institution.inst_name).join(
        Institution, Institution.inst_id == Server.inst_id
    )
    found = query.where(Server.server_id.icontains(written, autoescape=True))
    return found.order_by(Server.server_id)


def _agents(viewer: PersonInfo, written: str) -> Select[str, str] | None:
    if not is_allowed(viewer, "agent.read"):
        return None
    query = select(Agent.agent_id, Agent.title).where(
        or_(
            Agent.agent_id.icontains(written, autoescape=True),
            Agent.title.icontains(written, autoescape=True),
        )
    )
    return query.order_by(Agent.agent_id)


_STORED: MappingProxyType[str, Callable[[PersonInfo, str], Select[str, str] | None]] = (
    MappingProxyType(
        {
            **dict.fromkeys(filter_values.PEOPLE, _people),
            "institution": _institutions,
            "server": _servers,
            "agent": _agents,
        }
    )
)
