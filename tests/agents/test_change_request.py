"""What an agent takes from people's requests for changes: values, fewer actions, a time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from guardia.agents import change_request
from guardia.board.core.labels import SEOUL
from guardia.board.core.plan import ToolCall
from guardia.board.core.planner import ReadEvidence

VERSION = r"(?<![\d.])\d+\.\d+\.\d+(?!\.?\d)"
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=SEOUL)
FILES = [{"name": name, "id": f"{name[0] * 6}1"} for name in ("app.log", "debug.log", "gc.log")]
SESSIONS = [{"pid": pid, "backend_start": f"2026-11-20T05:00:0{pid % 10}Z"} for pid in (238, 240)]
EVIDENCE = [
    ReadEvidence("disk.largest", {"service": "shop"}, {"files": FILES}),
    ReadEvidence("database.locks", {"service": "db"}, {"roots": SESSIONS}),
]


def archive(name: str) -> ToolCall:
    row = next(file for file in FILES if file["name"] == name)
    return ToolCall(tool="disk.archive", args={"service": "shop", **row})


def end(pid: int) -> ToolCall:
    row: dict[str, Any] = next(session for session in SESSIONS if session["pid"] == pid)
    return ToolCall(tool="database.terminate_session", args={"service": "db", **row})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3.2.0으로 배포해 주세요", "3.2.0"),
        ("3.1.1 말고 3.2.0으로", "3.2.0"),
        ("3.1.1 대신 3.2.0", "3.2.0"),
        ("3.2.0은 제외하고 진행", None),
        ("3.1.1이 맞나요?", None),
        ("3.2.0이나 3.3.0 중에서", None),
        ("업무 시간은 피해 주세요", None),
    ],
)
def test_a_request_may_name_another_value_of_a_parameter(text: str, expected: str | None) -> None:
    assert change_request.requested_value(VERSION, text, "3.1.1") == expected


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("debug.log를 보관해 주세요", "debug.log"),
        ("app.log 말고 debug.log", "debug.log"),
        ("DEBUG.LOG 파일로 해 주세요", "debug.log"),
        ("debug.log.1 은 어떤가요", "app.log"),
        ("gc.log 나 debug.log", "app.log"),
        ("없는파일.log 로", "app.log"),
        ("$(rm -rf /) debug.log; drop table", "debug.log"),
        ("다시 확인해 주세요", "app.log"),
    ],
)
def test_a_request_chooses_another_value_of_the_evidence(text: str, name: str) -> None:
    [found] = change_request.adjusted_calls([archive("app.log")], EVIDENCE, [text])
    assert found == archive(name), "what follows from the value is of the same row"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("238은 제외해 주세요", [240]),
        ("세션 240 빼고 진행", [238]),
        ("238 말고 240", [240]),
        ("238과 240 모두 제외", [238, 240]),
        ("백업 후에 진행", [238, 240]),
    ],
)
def test_a_request_can_leave_an_action_out_but_not_the_last(text: str, kept: list[int]) -> None:
    calls = [end(238), end(240)]
    assert change_request.adjusted_calls(calls, EVIDENCE, [text]) == [end(pid) for pid in kept]


def test_later_requests_go_on_from_earlier_ones() -> None:
    texts = ["debug.log로", "그것 말고 gc.log로"]
    assert change_request.adjusted_calls([archive("app.log")], EVIDENCE, texts) == [
        archive("gc.log")
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("22:30 이후에 실행해 주세요", "2026-11-20T22:30:00+09:00"),
        ("오늘 밤 10시 이후", "2026-11-20T22:00:00+09:00"),
        ("내일 새벽 2시에 해 주세요", "2026-11-21T02:00:00+09:00"),
        ("오후 6시 반부터", "2026-11-20T18:30:00+09:00"),
        ("9시 이후", "2026-11-21T09:00:00+09:00"),
        ("모레 09:00부터", "2026-11-22T09:00:00+09:00"),
        ("밤 12시 이후", "2026-11-21T00:00:00+09:00"),
        ("서버 3대에서 10시간 걸립니다", None),
        ("나중에", None),
        ("25:00 이후", None),
    ],
)
def test_a_request_may_name_a_later_start(text: str, expected: str | None) -> None:
    found = change_request.requested_start([text], NOON)
    assert (found.isoformat() if found else None) == expected
