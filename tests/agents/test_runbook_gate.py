"""What no runbook is for goes to people; what one is for does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from triage_directory import read_directory

from guardia.agents.brain.triage.classify import triage
from guardia.agents.runbook_gate import applies
from guardia.knowledge.library import Library

HERE = Path(__file__).parent
RIGHT = HERE.parent / "knowledge" / "cases" / "search.jsonl"
NONE = HERE / "cases" / "without_runbook.txt"
LIBRARY = Library.shipped()


def chosen(text: str) -> str | None:
    """Return the runbook that is left for a request, as the agent does it."""
    found, known = LIBRARY.find(text, limit=1), triage(text, read_directory())
    kept = [f for f in found if applies(f, known.category, known.action_type)]
    return kept[0].runbook.id if kept else None


@pytest.mark.slow
def test_reports_of_anything_else_go_to_people() -> None:
    texts = NONE.read_text("utf-8").splitlines()
    misled = [(text, found) for text in texts if (found := chosen(text))]
    assert len(texts) >= 70 and len(misled) <= 0.1 * len(texts), misled


@pytest.mark.slow
def test_the_right_runbooks_stay() -> None:
    rows = [json.loads(line) for line in RIGHT.read_text("utf-8").splitlines()]
    found = [(row["runbook"], LIBRARY.find(row["text"], limit=1), row["text"]) for row in rows]
    right = [text for name, hits, text in found if name and hits and hits[0].runbook.id == name]
    lost = [text for text in right if chosen(text) is None]
    assert len(right) >= 68 and len(lost) <= 0.05 * len(right), lost


def test_terse_reports_are_enough_in_the_runbooks_own_field() -> None:
    assert chosen("MOF-DB-01 느려요") == "db-lock-chain"
    assert chosen("교육부 웹서버에 웹쉘로 의심되는 파일이 올라와 있습니다") is None


def test_work_that_is_asked_for_by_name_needs_no_proof() -> None:
    (best,) = LIBRARY.find("인증서 봐 주세요", limit=1)
    assert applies(best, "NETWORK", "CERT_CHECK")
