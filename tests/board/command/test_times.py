from __future__ import annotations

from datetime import datetime

import pytest

from guardia.board.command import times
from guardia.board.command.compact import Compact

NOW = datetime.fromisoformat("2026-11-20T14:00:00+09:00")  # a Friday


def marks(text: str) -> list[tuple[str, object]]:
    line = Compact.of(text)
    times.mark(line, NOW)
    values = [(m.sign, m.value) for m in line.all("WT")]
    return [(s, v.strftime("%m-%d %H:%M") if isinstance(v, datetime) else v) for s, v in values]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("오늘 밤 11시에", "11-20 23:00"),
        ("내일 새벽 2시에", "11-21 02:00"),
        ("모레 오전 10시 30분에", "11-22 10:30"),
        ("오후 3시 반에", "11-20 15:30"),
        ("3시에", "11-20 15:00"),
        ("9시에", "11-20 21:00"),
        ("새벽 2시에", "11-21 02:00"),
        ("오늘 자정에", "11-21 00:00"),
        ("내일 정오", "11-21 12:00"),
        ("다음주 월요일 새벽 3시", "11-23 03:00"),
        ("금요일 22:00", "11-20 22:00"),
        ("12월 1일 오후 6시", "12-01 18:00"),
        ("1월 5일 9시", "01-05 09:00"),
        ("30분 뒤에", "11-20 14:30"),
        ("두 시간 후", "11-20 16:00"),
        ("1시간 반 뒤", "11-20 15:30"),
    ],
)
def test_a_moment_is_the_next_one_that_fits(text: str, moment: str) -> None:
    assert marks(text) == [("T", moment)]


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("최근 1시간", 60),
        ("지난 2시간 동안", 120),
        ("30분 전부터", 30),
        ("오늘 로그 기준으로", 840),
        ("어제부터", 2280),
        ("오전 9시부터", 300),
        ("지난 3일간", 4320),
        ("최근 한 시간 반 내", 90),
        ("최근 일주일", 10080),
    ],
)
def test_a_span_is_counted_in_minutes(text: str, minutes: int) -> None:
    assert marks(text) == [("W", minutes)]


@pytest.mark.parametrize("text", ["25시에", "99:99", "13월 40일", "몇 분 걸려요", "시간 되면"])
def test_what_is_no_time_is_left(text: str) -> None:
    assert marks(text) == []
