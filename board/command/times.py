"""Moments and spans of time as people write them, in Korean office time."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from guardia.board.command.compact import Compact, Mark

_COUNTS = {
    "한": 1, "두": 2, "세": 3, "네": 4, "다섯": 5, "여섯": 6, "일곱": 7, "여덟": 8, "아홉": 9,
    "열": 10, "열한": 11, "열두": 12, "반": 0.5,
}  # fmt: skip
_COUNT = r"(?:\d{1,4}|열두|열한|다섯|여섯|일곱|여덟|아홉|한|두|세|네|열|반)"
_UNITS = {"분": 1, "시간": 60, "일": 1440, "날": 1440, "주일": 10080, "주": 10080, "달": 43200,
          "개월": 43200}  # fmt: skip
_SPANS = {"하루": 1440, "이틀": 2880, "사흘": 4320, "일주일": 10080, "반나절": 720, "반시간": 30}
_DAYS = {"오늘": 0, "금일": 0, "당일": 0, "내일": 1, "명일": 1, "익일": 1, "모레": 2, "내일모레": 2,
         "글피": 3}  # fmt: skip
_LAST_HOUR = 24
_WEEKDAYS = "월화수목금토일"
_PAST = {"오늘": 0, "금일": 0, "어제": 1, "전일": 1, "그제": 2, "그저께": 2}
_HALF = "오전|오후|새벽|아침|점심|낮|저녁|밤|심야"

_SPAN = "|".join(_SPANS)
_UNIT = "시간|분|주일|일|주|개월|달|날"
_HOURS = r"\d{1,2}|열두|열한|다섯|여섯|일곱|여덟|아홉|한|두|세|네|열"
_CLOCK = (
    rf"(?:(?P<hour>\d{{1,2}}):(?P<minute>[0-5]\d)"
    rf"|(?P<hour2>{_HOURS})시(?!간)(?:(?P<minute2>[0-5]?\d)분|(?P<halfpast>반))?)"
)
_BACK = re.compile(
    rf"(?:최근|지난|직전|과거|요)?"
    rf"(?:(?P<count>{_COUNT})(?P<unit>{_UNIT})|(?P<span>{_SPAN}))(?P<half>반)?"
    r"(?:전부터|전(?=이후|까지)|동안|간(?!단)|이내|사이|내(?![일용역])|기준|치|어치|분량|전)"
    rf"|(?:최근|지난|직전|과거)(?:(?P<count2>{_COUNT})(?P<unit2>{_UNIT})|(?P<span2>{_SPAN}))"
)
_SINCE = re.compile(
    rf"(?P<day>{'|'.join(_PAST)})?(?P<part>{_HALF})?{_CLOCK}(?:이후|부터)"
    rf"|(?P<whole>{'|'.join(_PAST)})(?:자|치)?(?:로그|것|데이터|자료|기록)?(?:이후|부터|기준)"
)
_AFTER = re.compile(
    rf"(?P<count>{_COUNT})(?P<unit>시간|분|일|주)(?P<half>반)?(?:있다가|이따가|이따|뒤|후|지나서)(?:에|쯤)?"
)
_AT = re.compile(
    r"(?:(?P<month>\d{1,2})[월/.](?P<date>\d{1,2})일?"
    rf"|(?P<next>다음주|차주|이번주|금주)?(?P<weekday>[{_WEEKDAYS}])요일"
    r"|(?P<day>내일모레|오늘|금일|당일|내일|명일|익일|모레|글피))?"
    rf"(?P<part>{_HALF})?(?:에)?(?:{_CLOCK}|(?P<noon>정오|자정))(?:정각)?(?:경|쯤|께)?(?:에|부터|으로|로)?"
)


def mark(line: Compact, now: datetime) -> None:
    """Replace spans of past time by W (minutes) and moments by T (ISO 8601)."""
    line.replace(_BACK, _read_back)
    line.replace(_SINCE, lambda match: _read_since(match, now))
    line.replace(_AFTER, lambda match: _read_after(match, now))
    line.replace(_AT, lambda match: _read_at(match, now))


def _count(text: str) -> float:
    return float(text) if text.isdecimal() else _COUNTS[text]


def _read_back(match: re.Match[str]) -> Mark | None:
    span = match["span"] or match["span2"]
    if span:
        minutes: float = _SPANS[span]
    else:
        unit = _UNITS[match["unit"] or match["unit2"]]
        minutes = _count(match["count"] or match["count2"]) * unit
        if match["half"]:
            minutes += unit / 2
    return Mark("W", int(minutes), *match.span())


def _read_since(match: re.Match[str], now: datetime) -> Mark | None:
    if match["whole"]:
        begin = _midnight(now) - timedelta(days=_PAST[match["whole"]])
    else:
        hour, minute = _clock(match)
        if hour > _LAST_HOUR:
            return None
        begin = _midnight(now) - timedelta(days=_PAST.get(match["day"] or "", 0))
        begin += timedelta(hours=_hour(hour, match["part"]), minutes=minute)
        if begin > now:
            begin -= timedelta(days=1)
    return Mark("W", int((now - begin).total_seconds() // 60), *match.span())


def _read_after(match: re.Match[str], now: datetime) -> Mark | None:
    unit = _UNITS[match["unit"]]
    minutes = _count(match["count"]) * unit + (unit / 2 if match["half"] else 0)
    return Mark("T", (now + timedelta(minutes=minutes)).replace(microsecond=0), *match.span())


def _read_at(match: re.Match[str], now: datetime) -> Mark | None:
    part = match["part"]
    if match["noon"]:
        hour, minute = 12 if match["noon"] == "정오" else 24, 0
    else:
        hour, minute = _clock(match)
    if hour > _LAST_HOUR:
        return None
    day = _day(match, now)
    base = _midnight(now) if day is None else day
    moment = base + timedelta(hours=_hour(hour, part), minutes=minute)
    if day is None and moment <= now:
        # Without a day, the next such time on the clock.
        step = 12 if part is None and hour <= 12 and moment + timedelta(hours=12) > now else 24
        moment += timedelta(hours=step)
    elif match["day"] in ("오늘", "금일", "당일") and moment <= now:
        if part is None and hour < 12:
            moment += timedelta(hours=12)
        elif part in ("새벽", "심야", "밤"):
            moment += timedelta(days=1)
    return Mark("T", moment, *match.span())


def _clock(match: re.Match[str]) -> tuple[int, int]:
    if match["hour"]:
        return int(match["hour"]), int(match["minute"])
    minute = int(match["minute2"] or 0) or (30 if match["halfpast"] else 0)
    return int(_count(match["hour2"])), minute


def _hour(hour: int, part: str | None) -> int:
    """Return the hour of the day, 24 for midnight at its end."""
    if hour > 12:
        return hour
    if part in ("오전", "새벽", "아침"):
        return hour % 12
    if part in ("밤", "심야"):
        return hour + 12 if 6 <= hour < 12 else hour % 12 + 24 if hour < 6 else 24
    if part in ("오후", "저녁", "낮", "점심"):
        return hour + 12 if hour < 12 and not (part in ("낮", "점심") and hour >= 10) else hour
    return hour


def _day(match: re.Match[str], now: datetime) -> datetime | None:
    start = _midnight(now)
    if match["month"]:
        try:
            found = start.replace(month=int(match["month"]), day=int(match["date"]))
        except ValueError:
            return None
        return found if found >= start else found.replace(year=found.year + 1)
    if match["weekday"]:
        ahead = _WEEKDAYS.index(match["weekday"]) - start.weekday()
        if match["next"] in ("다음주", "차주") or ahead < 0:
            ahead += 7
        return start + timedelta(days=ahead)
    return start + timedelta(days=_DAYS[match["day"]]) if match["day"] else None


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)
