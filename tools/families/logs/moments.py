"""Times and levels of log lines in the formats of common programs. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_CLOCK = r"(?P<H>\d\d):(?P<M>\d\d):(?P<S>\d\d)"
_ZONE = r"(?P<zone>Z|[+-]\d\d:?\d\d)?"
_FORMATS = tuple(
    re.compile(pattern)
    for pattern in (
        # 2026-11-30T11:56:43.123+09:00, 2026-11-30 11:56:43,123, 2026/11/30 11:56:43
        rf"(?P<y>\d{{4}})[-/.](?P<m>\d\d)[-/.](?P<d>\d\d)[T ]{_CLOCK}(?:[.,]\d+)? ?{_ZONE}",
        # 30/Nov/2026:11:56:43 +0900 (access logs), 30-Nov-2026 11:56:43.123 (Tomcat)
        r"(?P<d>\d\d)[-/](?P<b>[A-Z][a-z]{2})[-/](?P<y>\d{4})[: ]"
        rf"{_CLOCK}(?:[.,]\d+)? ?{_ZONE}",
        # Mon Nov 30 11:56:43.123 2026 (Apache's error log)
        rf"(?P<b>[A-Z][a-z]{{2}}) +(?P<d>\d{{1,2}}) {_CLOCK}(?:[.,]\d+)? (?P<y>\d{{4}})",
        # Nov 30 11:56:43 (syslog)
        rf"(?P<b>[A-Z][a-z]{{2}}) +(?P<d>\d{{1,2}}) {_CLOCK}",
        # 20261130 11:56:43, 20261130-115643
        r"(?P<y>20\d\d)(?P<m>\d\d)(?P<d>\d\d)[-T ](?P<H>\d\d):?(?P<M>\d\d):?(?P<S>\d\d)",
    )
)
_HEAD = 80
"""Characters at the beginning of a line in which its time is looked for."""
_LEVEL = re.compile(
    r"(?i)(?<![A-Za-z])(fatal|severe|emerg(?:ency)?|alert|crit(?:ical)?|err(?:or)?|warn(?:ing)?|"
    r"notice|info|debug|trace)(?![A-Za-z])"
)
_LEVELS = {"w": "WARN", "n": "INFO", "i": "INFO", "d": "DEBUG", "t": "DEBUG"}
_SENDER = re.compile(r"[A-Za-z0-9_.-]+ [A-Za-z0-9_./@()-]{1,60}(?:\[\d+\])?: ")
"""Host and program of a line of syslog or the journal."""
_CONTINUED = re.compile(
    r"\s*(?:at |\.\.\. \d+ |- (?:locked|waiting|parking)|Caused by:|Suppressed:)"
)
_KOREAN_ERROR = re.compile("오류|에러|실패|장애|예외")
_THROWN = re.compile(r"\b[A-Za-z.]*(?:Exception|Error)\b")


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a log; what follows without a time, such as a stack trace, belongs to it."""

    at: datetime | None
    text: str
    level: str
    """`ERROR`, `WARN`, `INFO`, `DEBUG`, or empty."""
    message: str
    """The text without its time and sender."""

    @property
    def is_continued(self) -> bool:
        """Whether it goes on with the line before, as a stack trace does."""
        return _CONTINUED.match(self.message) is not None


def parse_lines(texts: Iterable[str], now: datetime, zone: timezone) -> Iterator[LogLine]:
    """Parse lines; those without a time of their own keep the time of the line before."""
    at = None
    read = _reader(now, zone)
    for text in texts:
        own, end = read(text)
        at = own or at
        message = _SENDER.sub("", text[end:].lstrip(" -:|]"), count=1) if own else text
        yield LogLine(at, text, level_of(message), message)


def _reader(now: datetime, zone: timezone) -> Callable[[str], tuple[datetime | None, int]]:
    """Return a function that reads a line's time and where it ends; the last format comes first."""
    formats = list(_FORMATS)

    def read(text: str) -> tuple[datetime | None, int]:
        head = text[:_HEAD]
        for number, pattern in enumerate(formats):
            match = pattern.search(head)
            moment = _moment(match, now, zone) if match else None
            if match and moment:
                formats.insert(0, formats.pop(number))
                return moment, match.end()
        return None, 0

    return read


def _moment(match: re.Match[str], now: datetime, zone: timezone) -> datetime | None:
    parts = match.groupdict()
    try:
        month = _MONTHS.index(parts["b"]) + 1 if parts.get("b") else int(parts["m"])
        day, clock = int(parts["d"]), (int(parts["H"]), int(parts["M"]), int(parts["S"]))
        own = _zone(parts.get("zone")) or zone
        if parts.get("y"):
            return datetime(int(parts["y"]), month, day, *clock, tzinfo=own).astimezone(UTC)
        # The year is not logged: the latest that does not lie in the future.
        found = datetime(now.astimezone(own).year, month, day, *clock, tzinfo=own)
        if found > now + timedelta(days=1):
            found = found.replace(year=found.year - 1)
        return found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone(text: str | None) -> timezone | None:
    if not text:
        return None
    if text == "Z":
        return UTC
    digits = text[1:].replace(":", "")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def zone_of(text: str) -> timezone:
    """Parse what `date +%z` prints."""
    return _zone(text.strip()) or UTC


def level_of(text: str) -> str:
    """Return the level of a line, guessed from its words."""
    match = _LEVEL.search(text)
    if match:
        return _LEVELS.get(match[1][0].lower(), "DEBUG" if match[1].lower() == "debug" else "ERROR")
    return "ERROR" if _KOREAN_ERROR.search(text) or _THROWN.search(text) else ""
