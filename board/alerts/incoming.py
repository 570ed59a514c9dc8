"""One alert of a delivery in the same form for every monitoring system. Cleans its texts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from guardia.text import CleanStr, Name

MAX_NAME = 200
_MAX_LABELS = 40
_MAX_VALUE = 500
_MAX_SUMMARY = 2000
_TEXT = TypeAdapter(Name)
_OLDEST = datetime(1990, 1, 1, tzinfo=UTC)
_NANOSECONDS = re.compile(r"(\.\d{6})\d+")
_HOST_LABELS = (
    "server", "server_id", "instance", "host", "hostname", "host_name", "node", "nodename",
    "host_ip", "ip", "address", "exported_instance", "target", "device_name",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class IncomingAlert:
    """An alert as one delivery reports it."""

    key: CleanStr
    """Identity at its source: the same for every notification about it."""
    rule: CleanStr
    """Name of what watches: the alert rule or trigger."""
    firing: bool
    episode: CleanStr = ""
    """Identity of one occurrence from firing to resolved."""
    severity: CleanStr = ""
    summary: CleanStr = ""
    hosts: tuple[CleanStr, ...] = ()
    """What may name its server, the most specific first."""
    labels: dict[CleanStr, CleanStr] = field(default_factory=dict)
    url: CleanStr = ""
    group: CleanStr = ""
    """What alerts of one server share an issue by; empty: the rule."""
    started_at: datetime | None = None


ALERTS = TypeAdapter(list[IncomingAlert])


def parse_time(value: object) -> datetime | None:
    """Return a time of RFC 3339, or `None`; the zero time of Go means that there is none."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(_NANOSECONDS.sub(r"\1", value.strip()))
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        # A conversion of year 1 leaves the range of dates.
        return found.astimezone(UTC) if found.year > _OLDEST.year else None
    except (ValueError, OverflowError):
        return None


def text_of(value: object, limit: int = _MAX_VALUE) -> str:
    """Return a value of a payload as limited text; empty for objects and lists."""
    if isinstance(value, bool) or value is None or isinstance(value, dict | list):
        return ""
    return _TEXT.validate_python(str(value))[:limit]


def texts_of(values: object) -> dict[str, str]:
    """Return the plain values of an object by name, limited in number and length."""
    if not isinstance(values, Mapping):
        return {}
    named = ((text_of(name, MAX_NAME), text_of(value)) for name, value in values.items())
    found = [(name, value) for name, value in named if name and value]
    return dict(found[:_MAX_LABELS])


def summary_of(*candidates: object) -> str:
    """Return the first text that is not empty."""
    return next((text for one in candidates if (text := text_of(one, _MAX_SUMMARY))), "")


def hosts_of(labels: Mapping[str, Any], first: tuple[str, ...] = _HOST_LABELS) -> tuple[str, ...]:
    """Return the labels that may name a server, in order and without repetition."""
    return tuple(dict.fromkeys(labels[name] for name in first if labels.get(name)))
