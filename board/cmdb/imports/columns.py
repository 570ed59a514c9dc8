"""The columns of tables that people import, under the headers that they may have."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from guardia.board.cmdb.records import fault
from guardia.text import matching_form

_SEPARATORS = re.compile(r"[\s_\-./()]+")
_LIST = re.compile(r"[;,|\n]+")
SECRET_HEADER = re.compile(r"password|passwd|비밀번호|암호|패스워드|secret$|token$")
"""Headers of columns that hold secrets: a file with one is refused."""


def header_form(text: str) -> str:
    """Return the form in which headers are compared."""
    return _SEPARATORS.sub("", matching_form(text))


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column: the field that it fills, its headers, and how a cell is read."""

    field: str
    """`login.elevate`: the field of a part."""
    headers: tuple[str, ...]
    """The first one is that of exports."""
    read: Callable[[str], Any] = str
    write: Callable[[Any], str] = str


@dataclass(frozen=True)
class TableLayout:
    """The columns of one kind of table."""

    kind: str
    columns: tuple[TableColumn, ...]
    keeps_empty: frozenset[str] = frozenset()
    """Fields that an empty cell leaves as they are."""
    by_header: Mapping[str, TableColumn] = field(init=False)

    def __post_init__(self) -> None:
        """Build the index of headers."""
        found = {header_form(h): c for c in self.columns for h in (c.field, *c.headers)}
        object.__setattr__(self, "by_header", found)


def read_list(text: str) -> list[str]:
    """Return the words of a cell, which commas, semicolons or line breaks separate; or JSON."""
    if text.startswith("["):
        with suppress(ValueError, RecursionError):
            found = json.loads(text)
            if isinstance(found, list) and all(isinstance(word, str) for word in found):
                return found
    return [word for part in _LIST.split(text) if (word := part.strip())]


def write_list(words: Any) -> str:
    """Return words as a cell: as JSON if one of them would be read as several."""
    text = "; ".join(words)
    return text if read_list(text) == list(words) else json.dumps(words, ensure_ascii=False)


def read_choice(choices: Mapping[str, str]) -> Callable[[str], str]:
    """Return a reader that knows each choice by several words."""

    def read(text: str) -> str:
        return choices.get(header_form(text), text.strip())

    return read


def write_choice(choices: Mapping[str, str]) -> Callable[[str], str]:
    """Return a writer of the Korean word that the reader of these choices knows."""
    korean = {choice: word for word, choice in reversed([*choices.items()]) if not word.isascii()}
    return lambda choice: korean.get(choice, choice)


def read_level(text: str) -> str:
    """Return a proficiency; words are three of its five levels."""
    return {"상": "5", "중": "3", "하": "1"}.get(text.strip(), text.strip())


_WEEK = {
    **{
        word: day
        for day, words in {
            "mon": "월 월요일 mon monday",
            "tue": "화 화요일 tue tuesday",
            "wed": "수 수요일 wed wednesday",
            "thu": "목 목요일 thu thursday",
            "fri": "금 금요일 fri friday",
            "sat": "토 토요일 sat saturday",
            "sun": "일 일요일 sun sunday",
        }.items()
        for word in words.split()
    }
}
_SPANS = {
    "평일": "mon-fri",
    "주중": "mon-fri",
    "weekdays": "mon-fri",
    "주말": "sat-sun",
    "weekend": "sat-sun",
    "매일": "mon-sun",
    "daily": "mon-sun",
    "전체": "mon-sun",
}
_ORDER = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def read_days(text: str) -> list[str]:
    """Return the days of the week of a cell such as `월-금`, `mon,wed` or `주말`."""
    found: list[str] = []
    for part in read_list(text.replace("~", "-").replace("·", ",")):
        word = _SPANS.get(matching_form(part).strip(), matching_form(part).strip())
        first, dash, last = word.partition("-")
        days = [_WEEK.get(w.strip(), "") for w in ((first, last) if dash else (first,))]
        if "" in days:
            raise fault("days", value=part[:40])
        begin, end = _ORDER.index(days[0]), _ORDER.index(days[-1])
        count = (end - begin) % 7 + 1
        found += [_ORDER[(begin + n) % 7] for n in range(count)]
    return [day for day in _ORDER if day in found]


def write_days(days: Any) -> str:
    """Return days of the week as a cell."""
    korean = {day: word for word, day in reversed([*_WEEK.items()]) if len(word) == 1}
    return ", ".join(korean[day] for day in days)


DUTY_WORDS = {
    **dict.fromkeys(("primary", "main", "정", "주", "주담당", "정담당"), "primary"),
    **dict.fromkeys(("deputy", "backup", "secondary", "부", "부담당", "보조"), "deputy"),
}
HOLIDAY_WORDS = {
    **dict.fromkeys(("asusual", "평소대로", "무관", "포함"), "as_usual"),
    **dict.fromkeys(("off", "휴무", "제외"), "off"),
    **dict.fromkeys(("only", "공휴일만", "휴일만"), "only"),
}
KIND_WORDS = {
    **dict.fromkeys(("web", "웹", "웹서버", "webserver", "webservers"), "WEB"),
    **dict.fromkeys(("was", "와스", "was서버", "appserver", "appservers", "tomcat"), "WAS"),
    **dict.fromkeys(("db", "디비", "데이터베이스", "db서버", "dbserver", "dbservers"), "DB"),
    **dict.fromkeys(("database", "databases"), "DB"),
    **dict.fromkeys(("security", "sec", "보안", "방화벽", "firewall"), "SECURITY"),
}
"""Kinds of servers by the words for them."""


def read_kind(text: str) -> str:
    """Return a server's kind."""
    return KIND_WORDS.get(header_form(text), text.strip().upper())
