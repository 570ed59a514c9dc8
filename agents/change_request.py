"""Read people's requests for changes of a plan: other values, fewer actions, a later start.

Pure. A request is foreign text and only data: it chooses among values that a runbook's pattern or
the evidence of the diagnosis permits, and names a time. People approve the result.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from guardia.board.core.plan import ToolCall
from guardia.board.core.planner import ReadEvidence
from guardia.tools import choices

_EXCLUDED = re.compile(
    r"^(?:['\"”’)]*\s*(?:과|와|랑|이랑|하고|,|및)\s*[\w.-]+)*['\"”’)]*\s*(?:버전|파일|세션|번)?\s*"
    r"(?:은|는|이|가|을|를|의)?\s*(?:모두|전부|다)?\s*"
    r"(?:말고|말구|제외|빼고|빼\s?주|빼 ?줘|빼세요|아니|대신|금지|하지\s?(?:말|마)|안\s|않)"
)
"""What follows an excluded value: "3.1.0 말고 …", "238은 제외하고 …"."""
_BOUND = r"(?<![\w.-]){}(?![\w-]|\.\w)"
_TIME = re.compile(
    r"(?P<day>오늘|금일|내일|명일|모레)?\s*"
    r"(?P<half>오전|오후|새벽|아침|낮|저녁|밤)?\s*"
    r"(?:(?P<hour>\d{1,2}):(?P<minute>[0-5]\d)|(?P<hour2>\d{1,2})\s*시(?:\s*(?P<minute2>[0-5]?\d)\s*분|(?P<half_past>\s*반))?)"
    r"\s*(?:정각)?\s*(?:이후|이후에|부터|넘어서|넘어|지나서|지나|에|로|후)"
)
_DAYS = {"내일": 1, "명일": 1, "모레": 2}
_AFTERNOON = frozenset({"오후", "저녁", "밤", "낮"})


def requested_value(pattern: str, text: str, current: str | None) -> str | None:
    """Return the value of a runbook's parameter that a request names instead of the current one.

    `None` if it names none, or several.
    """
    wanted = {
        match[0]
        for match in re.finditer(pattern, text)
        if match[0] and match[0] != current and not _is_excluded(text, match.end())
    }
    return wanted.pop() if len(wanted) == 1 else None


def _is_excluded(text: str, end: int) -> bool:
    return _EXCLUDED.match(text[end:]) is not None


def adjusted_calls(
    calls: Sequence[ToolCall], evidence: Sequence[ReadEvidence], requests: Iterable[str]
) -> list[ToolCall]:
    """Return the calls of a plan with what people's requests choose from the evidence.

    A call whose value is ruled out without a replacement is left out, unless it is the last one.
    """
    adjusted = list(calls)
    for text in requests:
        chosen = [_adjusted(call, evidence, text) for call in adjusted]
        kept = [call for call in chosen if call is not None]
        adjusted = _distinct(kept) or adjusted
    return adjusted


def _distinct(calls: Iterable[ToolCall]) -> list[ToolCall]:
    found: list[ToolCall] = []
    for call in calls:
        if call not in found:
            found.append(call)
    return found


def _adjusted(call: ToolCall, evidence: Sequence[ReadEvidence], text: str) -> ToolCall | None:
    dropped = False
    for name, permitted in choices.rows(call, evidence).items():
        current = str(call.args.get(name))
        wanted = [row for row in permitted if _wants(text, str(row[name]), current)]
        if len({str(row[name]) for row in wanted}) == 1:
            call = call.model_copy(update={"args": {**call.args, **wanted[0]}})
        elif any(_is_excluded(text, end) for end in _mentions(text, current)):
            dropped = True
    return None if dropped else call


def _wants(text: str, value: str, current: str) -> bool:
    if value == current:
        return False
    ends = list(_mentions(text, value))
    return bool(ends) and not any(_is_excluded(text, end) for end in ends)


def _mentions(text: str, value: str) -> Iterator[int]:
    """Yield the ends of where a text names a value as a word of its own."""
    if not value:
        return
    pattern = _BOUND.format(re.escape(value))
    for match in re.finditer(pattern, text, re.IGNORECASE | re.ASCII):
        yield match.end()


def requested_start(requests: Iterable[str], now: datetime) -> datetime | None:
    """Return the start that the last request with a time names; `now` is in the local zone."""
    found: datetime | None = None
    for text in requests:
        for match in _TIME.finditer(text):
            found = _moment(match, now) or found
    return found


def _moment(match: re.Match[str], now: datetime) -> datetime | None:
    hour = int(match["hour"] or match["hour2"])
    minute = int(match["minute"] or match["minute2"] or (30 if match["half_past"] else 0))
    if match["half"] in _AFTERNOON and hour < 12 and not (match["half"] == "낮" and hour >= 11):
        hour += 12
    if match["half"] in ("밤", "새벽", "오전") and hour in (12, 24):
        hour = 0
    if hour > 24:
        return None
    moment = now.replace(hour=0, minute=0, second=0, microsecond=0)
    moment += timedelta(days=_DAYS.get(match["day"] or "", 0), hours=hour, minutes=minute)
    return moment if moment > now else moment + timedelta(days=1)


def described(before: Sequence[ToolCall], after: Sequence[ToolCall]) -> list[tuple[Any, Any, Any]]:
    """Return which arguments differ between two lists of calls: name, before, after."""
    return [
        (choices.argument_label(name), old.args.get(name), value)
        for old, new in zip(before, after, strict=False)
        if old.tool == new.tool
        for name, value in new.args.items()
        if name in choices.meaning_of_call(old)[1] and old.args.get(name) != value
    ]
