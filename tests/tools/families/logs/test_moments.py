"""Times and levels of log lines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from guardia.tools.families.logs.moments import level_of, parse_lines, zone_of

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
KST = timezone(timedelta(hours=9))


@pytest.mark.parametrize(
    ("line", "at", "message"),
    [
        ("2026-11-30T11:56:43.123+09:00 ERROR x", "2026-11-30T02:56:43", "ERROR x"),
        ("2026-11-30T02:56:43Z x", "2026-11-30T02:56:43", "x"),
        ("2026-11-30 11:56:43,123 WARN x", "2026-11-30T02:56:43", "WARN x"),
        ("[2026-11-30 11:56:43] x", "2026-11-30T02:56:43", "x"),
        ("2026/11/30 11:56:43 [error] 7#7: x", "2026-11-30T02:56:43", "[error] 7#7: x"),
        ('1.2.3.4 - - [30/Nov/2026:11:56:43 +0900] "GET /"', "2026-11-30T02:56:43", '"GET /"'),
        ("30-Nov-2026 11:56:43.123 SEVERE [main] x", "2026-11-30T02:56:43", "SEVERE [main] x"),
        (
            "[Mon Nov 30 11:56:43.123456 2026] [core:error] x",
            "2026-11-30T02:56:43",
            "[core:error] x",
        ),
        ("Nov 30 11:56:43 was-1 sshd[7]: x", "2026-11-30T02:56:43", "x"),
        ("Dec 31 23:59:59 was-1 cron: x", "2025-12-31T14:59:59", "x"),
        ("2026-11-30T11:56:43+0900 was-1 tomcat10[49]: INFO x", "2026-11-30T02:56:43", "INFO x"),
        ("20261130 11:56:43 x", "2026-11-30T02:56:43", "x"),
        ("2026-13-45 99:99:99 x", None, "2026-13-45 99:99:99 x"),
        ("no time at all", None, "no time at all"),
        ("", None, ""),
    ],
)
def test_formats(line: str, at: str | None, message: str) -> None:
    (found,) = parse_lines([line], NOW, KST)
    assert (found.at and found.at.strftime("%Y-%m-%dT%H:%M:%S")) == at
    assert found.message == message


def test_a_stack_trace_belongs_to_the_line_before() -> None:
    lines = [
        "2026-11-30 11:56:43 ERROR x",
        "java.lang.X: y",
        "\tat a.B.c(B.java:1)",
        "Caused by: z",
    ]
    found = list(parse_lines(lines, NOW, KST))
    assert len({line.at for line in found}) == 1
    assert [line.is_continued for line in found] == [False, False, True, True]


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("SEVERE x", "ERROR"),
        ("[error] x", "ERROR"),
        ("level=warning x", "WARN"),
        ("INFO the error page", "INFO"),
        ("DEBUG x", "DEBUG"),
        ("로그인 실패", "ERROR"),
        ("java.lang.NullPointerException", "ERROR"),
        ("terrors and information", ""),
    ],
)
def test_levels(text: str, level: str) -> None:
    assert level_of(text) == level


def test_zones() -> None:
    assert zone_of("+0900\n") == KST
    assert zone_of("-0330") == timezone(-timedelta(hours=3, minutes=30))
    assert zone_of("") == UTC
