"""Display labels of stored names: actors, wake reasons, outcomes, states and times."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta, timezone

from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import ActorKind
from guardia.board.core.plan import Check
from guardia.i18n import t, t_default

# Korea has no daylight saving time, and small systems have no time zone database.
SEOUL = timezone(timedelta(hours=9), "KST")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")

_TIME_STYLES = {"full": "%Y-%m-%d %H:%M:%S", "short": "%m-%d %H:%M", "clock": "%H:%M"}


def format_span(span: timedelta) -> str:
    """Return a duration in its two largest units, such as `1시간 5분`."""
    seconds = max(0, round(span.total_seconds()))
    units = (("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1))
    parts = []
    for name, size in units:
        number, seconds = divmod(seconds, size)
        if number:
            parts.append(t(f"web.span.{name}", count=number))
    return " ".join(parts[:2]) or t("web.span.seconds", count=0)


def label(table: str, name: str) -> str:
    """Return the text `<table>.<name>`, or the name itself if the catalogue lacks it."""
    try:
        return t(f"{table}.{name}")
    except KeyError:
        return name


def log_label(table: str, name: str) -> str:
    """Return `label` in the language of the audit log."""
    try:
        return t_default(f"{table}.{name}")
    except KeyError:
        return name


def outcome_label(name: str | None) -> str:
    """Return the label of how a run ended: its own outcome or the state of its task."""
    if not name:
        return t("wake.lasts")
    text = label("wake.outcome", name)
    return text if text != name else label("state", name)


def cause_label(name: str, value: object) -> object:
    """Return the label of a value in a wake's cause."""
    if name == "verb":
        return label("board.verb", str(value))
    return label(f"wake.{name}", str(value)) if name in ("verdict", "move") else value


def actor_label(names: Mapping[str, str], actor: str) -> str:
    """Return the display name of a stored actor such as `agent:…` or `person:…`."""
    if actor in names:
        return names[actor]
    known = Actor.parse(actor)
    if known is None:
        return actor.partition(":")[2] or actor
    if known.kind is ActorKind.OPERATOR:
        return t("web.operator")
    return label("web.channel", known.id) if known.kind is ActorKind.CHANNEL else known.id or actor


def tool_title(name: str) -> str:
    """Return a tool's title, or its name if the catalogue lacks it."""
    try:
        return t(f"tools.{name}.title")
    except KeyError:
        return name


def check_sentence(check: Check) -> str:
    """Return what a check requires; for plans of earlier releases, what it reads."""
    sentence = check.sentence or t("web.summary.check", tool=tool_title(check.call.tool))
    return (
        f"{sentence} ({t('web.plan.within', seconds=check.within)})" if check.within else sentence
    )


def format_time(value: datetime, style: str = "full") -> str:
    """Format a time in Seoul: `full` with year and seconds, `short` for lists, `clock` in a day."""
    local = value.astimezone(SEOUL)
    return local.strftime(_TIME_STYLES[style])


def to_seoul_time(text: str) -> str:
    """Convert a timestamp with a zone to Seoul time; return any other text unchanged."""
    if _TIME.fullmatch(text):
        with suppress(ValueError):
            return format_time(datetime.fromisoformat(text))
    return text
