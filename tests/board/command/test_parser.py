from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia.board.command.names import Names
from guardia.board.command.parser import parse
from guardia.board.command.structure import DESTRUCTIVE, Command, Situation
from guardia.cli.evaluation import load_directory

CASES = Path(__file__).with_name("cases")
NOW = datetime.fromisoformat("2026-11-20T14:00:00+09:00")
EXAMPLES = [json.loads(line) for line in (CASES / "commands.jsonl").read_text("utf-8").splitlines()]


@cache
def names() -> Names:
    return Names(load_directory(CASES / "directory.yaml"))


def read(text: str, sr_id: int | None = None, user: str = "u-lead-1") -> Command:
    return parse(text, Situation(user, NOW, sr_id), names())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e["text"])
def test_a_line_is_read_into_its_structure(example: dict[str, Any]) -> None:
    context = example["context"]
    assert read(example["text"], context["sr_id"], context["user"]).as_dict() == example["expect"]


@pytest.mark.parametrize("verb", ["중단", "롤백", "승인", "취소", "원복"])
@pytest.mark.parametrize(
    "ending",
    [
        "하지 마", "하지 말아 주세요", "하면 안 됩니다", "했어요", "됐습니다", "할까요?",
        "하면 어떻게 되나요?", " 방법 알려주세요", "하라고 하셨습니다", " 예정입니다",
        "된 이유가 뭐죠?", "은 내일 할게요", "해도 될까요?", " 대신 기다려 주세요",
        "하는 중입니다", " 이력 보여줘",
    ],
)  # fmt: skip
def test_what_is_not_asked_for_is_never_done(verb: str, ending: str) -> None:
    assert read(f"#12 {verb}{ending}").action not in DESTRUCTIVE


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(" ", ""),
        lambda text: f"  {text.replace(' ', '   ')} ",
        lambda text: f"{text}!!",
        lambda text: f"@guardia {text}",
        lambda text: text.replace("#", "\uff03"),
    ],
    ids=["no blanks", "many blanks", "marks", "mention", "full width"],
)
def test_blanks_marks_and_mentions_change_nothing(change: Callable[[str], str]) -> None:
    for text in ("#101 김철수 대리한테 배정해줘", "MOF-WAS-01 재시작해줘", "전체 정지", "#7 중단"):
        assert read(change(text)) == read(text)


@given(st.text(max_size=80))
def test_any_text_is_read_without_an_error(text: str) -> None:
    assert read(text).action


def test_an_issue_of_the_context_never_leaks_into_other_commands() -> None:
    for text in ("전체 정지", "MOF-WAS-01 재시작해줘", "서버 목록 보여줘", "DB 에이전트 깨워줘"):
        assert read(text, 12) == read(text)


def test_two_issues_are_asked_back() -> None:
    assert read("#12랑 #13 중단해줘").as_dict() == {"action": "clarify", "params": {"about": "sr"}}


def test_a_line_is_read_up_to_its_bound() -> None:
    assert read("가" * 100_000 + " #12 중단해줘").action == "none"
