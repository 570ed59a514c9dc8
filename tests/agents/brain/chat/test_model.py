"""One prompt to one model: its usage, and when there is a second attempt."""

from __future__ import annotations

import json

import pytest
from fake_chat import (
    DIRECTORY,
    GOOD_ANSWER,
    TEXT,
    RecordingMeter,
    assert_fell_back,
    chat_brain,
    chat_brain_chain,
    closed_port,
)
from model_server import MODEL, CannedReply, ModelServer
from waiting import PATIENCE

from guardia.org.brains import ModelChoice


@pytest.mark.slow
def test_what_each_answer_used_is_told_and_checked_by_nobody_here(server: ModelServer) -> None:
    """The board checks reported usage; here usage is only zero if nothing was sent."""
    hostile = {"prompt_tokens": -5, "completion_tokens": 10**12, "total_tokens": 1}
    server.replies(
        CannedReply("아니요"),
        CannedReply(GOOD_ANSWER, finish="length"),
        CannedReply(GOOD_ANSWER, usage=hostile),
        CannedReply(GOOD_ANSWER, usage=None),
        CannedReply(status=500),
        CannedReply(hang_up=True),
    )
    meter = RecordingMeter()
    asking = chat_brain(server, meter=meter)
    for _ in range(6):
        asking.triage(TEXT, DIRECTORY)
    assert_fell_back(
        chat_brain(f"http://127.0.0.1:{closed_port()}/v1", meter=meter).triage(TEXT, DIRECTORY),
        "거부했습니다",
    )
    assert [(e.outcome, e.tokens_in, e.tokens_out) for e in meter.settled] == [
        ("unusable", 30, 12),
        ("unusable", 30, 12),
        ("used", -5, 10**12),
        ("used", None, None),
        ("failed", 0, 0),
        ("failed", None, None),
        ("failed", 0, 0),
    ]
    assert len(meter.reserved) == 7
    sent = json.dumps(server.asked[0], ensure_ascii=False).encode()
    assert len(sent) / 2 < meter.reserved[0].most_in
    assert meter.reserved[0].most_out == server.asked[0]["max_completion_tokens"]


# Ten seconds at most, and half of the time left: of 19 seconds less than 9.5.
@pytest.mark.parametrize(
    ("later", "timeout"),
    [
        ("11", PATIENCE),
        ("9.6", 19.0),
        ("-1", PATIENCE),
        ("nan", PATIENCE),
        ("inf", PATIENCE),
        ("soon", PATIENCE),
        ("Wed, 21 Oct 2026 07:28:00 GMT", PATIENCE),
    ],
)
def test_a_moment_that_is_too_late_or_none_is_not_waited_for(
    server: ModelServer, later: str, timeout: float
) -> None:
    server.replies(
        CannedReply(status=503, headers={"retry-after": later}), CannedReply(GOOD_ANSWER)
    )
    asking = chat_brain(server, timeout=timeout)
    assert_fell_back(asking.triage(TEXT, DIRECTORY), "HTTP 503")
    assert len(server.paths) == 1


def test_a_cold_server_gets_more_time_until_it_has_answered(server: ModelServer) -> None:
    meter = RecordingMeter()
    model = ModelChoice(base_url=server.url, model=MODEL, timeout=40, cold_timeout=90)
    asking = chat_brain_chain(model, meter=meter)
    server.replies(CannedReply(hang_up=True), CannedReply(GOOD_ANSWER), CannedReply(GOOD_ANSWER))
    for _ in range(3):
        asking.triage(TEXT, DIRECTORY)
    assert [round(asked.seconds) for asked in meter.reserved] == [90, 90, 40]


def test_without_a_setting_a_cold_server_gets_four_times_as_long() -> None:
    assert ModelChoice(base_url="http://m/v1", model="m").cold_seconds == 120
    assert (
        ModelChoice(base_url="http://m/v1", model="m", timeout=70, cold_timeout=90).cold_seconds
        == 90
    )
