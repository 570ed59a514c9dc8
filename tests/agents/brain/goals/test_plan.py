"""Goals resolved by the rules: cases of text with their work and questions."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from guardia.agents.brain.goals import plan
from guardia.agents.brain.goals.breakdown import MAX_PIECES, divide
from guardia.agents.brain.goals.deadline import deadlines
from guardia.agents.brain.triage.classify import triage
from guardia.agents.brain.triage.lexicon import lexicon
from guardia.tools.lab.inventory import sample_directory

CASES: dict[str, Any] = YAML(typ="safe").load(
    (Path(__file__).parent / "cases" / "goals.yaml").read_text("utf-8")
)
TODAY = date(2026, 11, 23)


def understood(text: str) -> list[dict[str, Any]]:
    """Return the work of a goal in the form of the cases."""
    directory = sample_directory()
    found = plan.resolve_pieces(
        divide(text), directory, lexicon().servers, TODAY, lambda said: triage(said, directory)
    )
    return [
        {
            "on": " ".join(work.servers) if not work.question else "?",
            "is": work.triage.action_type or work.triage.category,
            **({"due": work.due.isoformat()} if work.due else {}),
        }
        for work in found
    ]


@pytest.mark.parametrize("case", CASES["goals"], ids=lambda c: c["text"][:24])
def test_a_goal_is_resolved(case: dict[str, Any]) -> None:
    assert understood(case["text"]) == case["work"]


@pytest.mark.parametrize("text", CASES["deadlines"])
def test_a_deadline_is_found(text: str) -> None:
    wanted = CASES["deadlines"][text]
    assert [d.on.isoformat() for d in deadlines(text, TODAY)] == ([wanted] if wanted else [])


def test_every_question_and_inference_has_a_reason() -> None:
    directory = sample_directory()
    pieces = divide("기재부 와스 1호기 로그를 분석하고 디스크를 정리해. 보안을 더 좋게 해 줘")
    found = plan.resolve_pieces(
        pieces, directory, lexicon().servers, TODAY, lambda said: triage(said, directory)
    )
    assert "MOF-WAS-01" in found[1].reasons[-1]
    assert "서버" in found[2].question


def test_a_goal_is_bounded() -> None:
    assert len(divide("\n".join(f"- MOF-WAS-01 로그 정리 {n}" for n in range(100)))) == MAX_PIECES


EQUIPMENT = (
    "네트워크 장비의 펌웨어를 업그레이드해 주세요",
    "네트워크 장비 펌웨어 업그레이드",
    "스위치를 교체해 주세요",
    "방화벽 정책을 점검해 주세요",
    "무선 AP를 점검해 주세요",
    "프린터를 점검해 주세요",
    "백본 스위치의 설정을 변경해 주세요",
)


@pytest.mark.parametrize("work", EQUIPMENT)
@pytest.mark.parametrize("before", ["기재부 운영DB를 점검하고 ", "MOF-DB-01 로그를 분석하고, "])
def test_a_device_is_no_server_named_before_it(before: str, work: str) -> None:
    found = understood(before + work)
    assert found[0]["on"] == "MOF-DB-01"
    assert [one["on"] for one in found[1:]] == ["?"]


@pytest.mark.parametrize(
    "work", ["로그를 정리해 주세요", "재기동해 주세요", "백업해 주세요", "패치를 적용해 주세요"]
)
def test_work_that_any_server_has_is_on_the_one_named_before_it(work: str) -> None:
    assert [one["on"] for one in understood(f"MOF-WAS-01 상태를 점검하고 {work}")] == [
        "MOF-WAS-01"
    ] * 2


def test_work_of_another_kind_is_not_on_the_server_named_before_it() -> None:
    assert [one["on"] for one in understood("MOF-WAS-01을 재기동하고 쿼리를 점검해 주세요")] == [
        "MOF-WAS-01",
        "MOF-DB-01",
    ]
