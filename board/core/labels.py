"""Words for what the board keeps as a name: who did something, why agents woke, how it ended."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta, timezone

from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import ActorKind
from guardia.i18n import t, t_default

# Korea has no summer time, and small systems have no time zone database.
SEOUL = timezone(timedelta(hours=9), "KST")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def label(table: str, name: str) -> str:
    """``<table>.<name>`` of the catalogue where it has it, else the name itself."""
    try:
        return t(f"{table}.{name}")
    except KeyError:
        return name


def log_label(table: str, name: str) -> str:
    """``word`` in the language of the record."""
    try:
        return t_default(f"{table}.{name}")
    except KeyError:
        return name


def outcome_label(name: str | None) -> str:
    """How a waking ended: a word of its own, or the state in which it left its task."""
    if not name:
        return t("wake.lasts")
    own = label("wake.outcome", name)
    return own if own != name else label("state", name)


def cause_label(name: str, value: object) -> object:
    """A cause's value as people read it."""
    if name == "verb":
        return label("board.verb", str(value))
    return label(f"wake.{name}", str(value)) if name in ("verdict", "move") else value


def actor_label(names: Mapping[str, str], actor: str) -> str:
    """The name of ``agent:…``, ``person:…``, ``channel:…`` or ``operator:…``."""
    if actor in names:
        return names[actor]
    known = Actor.parse(actor)
    if known is None:
        return actor.partition(":")[2] or actor
    if known.kind is ActorKind.OPERATOR:
        return t("web.operator")
    return label("web.channel", known.id) if known.kind is ActorKind.CHANNEL else known.id or actor


def format_time(value: datetime, style: str = "full") -> str:
    """A time in Seoul: ``full`` with the year and seconds, ``short`` for lists."""
    local = value.astimezone(SEOUL)
    return local.strftime("%m-%d %H:%M" if style == "short" else "%Y-%m-%d %H:%M:%S")


def to_seoul_time(text: str) -> str:
    """A time that names its zone as one in Seoul; any other text as it is."""
    if _TIME.fullmatch(text):
        with suppress(ValueError):
            return format_time(datetime.fromisoformat(text))
    return text
