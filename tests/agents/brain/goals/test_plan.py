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
