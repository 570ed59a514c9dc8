"""Concepts found in a text, with their words."""

from __future__ import annotations

from guardia.agents.brain.triage.lexicon import lexicon
from guardia.agents.brain.triage.reading import read_request


def test_words_are_as_written() -> None:
    hits = read_request("기재부 쿼리가 너무 느려요!!", lexicon()).facts("fault.slow")
    assert {h.words for h in hits} == {"느려요"}


def test_hits_belong_to_their_clause() -> None:
    reading = read_request("서비스는 되지만 화면이 느립니다", lexicon())
    assert [h.clause for h in reading.facts("fault.slow")] == [1]
    assert reading.in_clause(0, "calm.works") and not reading.in_clause(1, "calm.works")


def test_only_work_spans_clauses() -> None:
    reading = read_request("로그가 쌓였는데 지워주세요", lexicon())
    assert [h.concept for h in reading.all("action.")] == ["action.DISK_CLEANUP"]
    assert reading.all("action.")[0].clause == 1
