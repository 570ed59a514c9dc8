"""Prompts for small windows, at a server that refuses what does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fake_chat import DIRECTORY, GOOD_ANSWER, TEXT, RecordingMeter, chat_brain_chain
from model_server import MODEL, CannedReply, ModelServer
from waiting import PATIENCE

from guardia.agents.brain.chat import window
from guardia.agents.brain.chat.brain import ChatBrain
from guardia.knowledge.library import Library, RunbookMatch
from guardia.org.brains import ModelChoice

SMALL = 4_096
LONG = TEXT + ". " + "어제 저녁부터 조회 화면이 계속 느립니다. " * 300


@pytest.fixture
def small() -> Iterator[ModelServer]:
    with ModelServer(window=SMALL) as found:
        yield found


@pytest.fixture
def runbooks() -> tuple[RunbookMatch, ...]:
    found = tuple(Library.shipped().find("쿼리가 느립니다", limit=8))
    assert len(found) > 1
    return found


def brain(server: ModelServer, meter: RecordingMeter | None = None, **more: Any) -> ChatBrain:
    choice = ModelChoice(
        base_url=server.url, model=MODEL, timeout=PATIENCE, cold_timeout=PATIENCE, **more
    )
    return chat_brain_chain(choice, meter=meter)


def test_a_long_request_fits_the_window_that_the_server_names(small: ModelServer) -> None:
    small.replies(CannedReply(GOOD_ANSWER))
    found = brain(small).triage(LONG, DIRECTORY)
    assert (found.by, small.refusals) == (f"chat:{MODEL}", [])
    assert TEXT in small.asked[-1]["messages"][1]["content"]


@pytest.mark.slow
def test_the_window_of_the_chart_is_used_where_the_server_names_none() -> None:
    with ModelServer() as server:
        server.replies(CannedReply(GOOD_ANSWER))
        brain(server, window=2_600).triage(LONG, DIRECTORY)
        short = len(server.asked[-1]["messages"][1]["content"])
        brain(server).triage(LONG, DIRECTORY)
        assert short < len(server.asked[-1]["messages"][1]["content"])
        assert server.asked[0]["max_completion_tokens"] < 1_500


def test_notes_are_cut_before_procedures_and_the_request(
    small: ModelServer, runbooks: tuple[RunbookMatch, ...]
) -> None:
    chosen = runbooks[0].runbook.id
    small.replies(CannedReply({"reason": "쿼리 지연 절차입니다.", "runbook": chosen}))
    notes = tuple(f"메모 {n}: " + "지난번에도 같은 장애가 있었습니다. " * 15 for n in range(12))
    found = brain(small).choose(LONG, runbooks, notes)
    assert (found.answer.runbook, small.refusals) == (chosen, [])
    data = small.asked[-1]["messages"][1]["content"]
    assert "<notes>" not in data and TEXT in data
    assert all(match.runbook.id in data for match in runbooks)


def test_what_cannot_be_cut_falls_back_and_sends_nothing(small: ModelServer) -> None:
    small.replies(CannedReply(GOOD_ANSWER))
    meter = RecordingMeter()
    found = brain(small, meter, window=1_024).triage(TEXT, DIRECTORY)
    assert found.by == "embedded" and "문맥 창" in found.caveat
    assert (small.asked, meter.reserved) == ([], [])


def test_a_server_without_a_window_is_not_cut() -> None:
    with ModelServer() as server:
        choice = ModelChoice(base_url=server.url, model=MODEL)
        assert window.window_of(choice, None) is None
