"""Texts of facts: times, spans, labels, calls. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from guardia.board.core.labels import format_span, format_time, label, to_seoul_time, tool_title
from guardia.board.core.plan import ToolCall

_MINUTES = 16
"""Characters of a time up to its minutes."""


def at_minute(value: datetime | None) -> str | None:
    """Return a time in Seoul to the minute."""
    return format_time(value)[:_MINUTES] if value else None


def span_between(begins: datetime | None, ends: datetime | None) -> str | None:
    """Return the time between two moments, if both are known and in order."""
    if begins is None or ends is None or ends < begins:
        return None
    return format_span(ends - begins)


def lines(texts: Iterable[str | None]) -> str | None:
    """Return different texts, each on a line of its own."""
    return "\n".join(dict.fromkeys(text for text in texts if text)) or None


def named(table: str, name: str | None) -> str | None:
    """Return the label of a stored name, if there is one."""
    return label(table, name) if name else None


def call_text(call: ToolCall) -> str:
    """Return a call of a tool with its arguments."""
    words = [
        f"{label('web.field', name)} {to_seoul_time(str(value))}"
        for name, value in call.args.items()
    ]
    title = tool_title(call.tool)
    return f"{title} ({', '.join(words)})" if words else title
