"""The CLI's output is data: any content, in any chunks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardia.agents.adapters.claude_stream import ClaudeStream
from guardia.board.costs.metering import MAX_REPORTED_TOKENS


def start(model: str, *tokens: Any) -> dict[str, Any]:
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    usage = {**dict(zip(names, tokens, strict=False)), "output_tokens": 1}
    return event("message_start", message={"model": model, "usage": usage})


def event(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": "stream_event", "event": {"type": kind, **more}}


def heard(*lines: object) -> ClaudeStream:
    stream = ClaudeStream()
    for line in lines:
        stream.feed(json.dumps(line).encode() + b"\n")
    return stream


HALF = (
    start("claude-a", 100, 20, 3),
    event("message_delta", usage={"output_tokens": 7}),
    event("message_delta", usage={"output_tokens": 40}),
    start("claude-b", 10),
)


def test_a_killed_session_is_charged_by_its_messages() -> None:
    assert heard(*HALF).usage(None) == {
        "models": {
            "claude-a": {"input_tokens": 123, "output_tokens": 40},
            "claude-b": {"input_tokens": 10, "output_tokens": 1},
        },
        "micro_usd": None,
    }
    assert heard({"type": "system"}).usage("claude-a") is None


def test_its_final_report_includes_its_subagents() -> None:
    usage = {"inputTokens": 1, "cacheReadInputTokens": 2, "outputTokens": 3}
    result = {
        "type": "result",
        "subtype": "success",
        "total_cost_usd": 0.0123,
        "usage": {"input_tokens": 0, "output_tokens": 0},  # as when its budget was used up
        "modelUsage": {"claude-a-20261001": usage},
    }
    expected = {"input_tokens": 3, "output_tokens": 3}
    # A single model gets the name of the chart, by which its price is found.
    found = heard(*HALF, result).usage("claude-a")
    assert found == {"models": {"claude-a": expected}, "micro_usd": 12300}
    result["modelUsage"] = {"claude-a": usage, "small": usage}
    found = heard(result).usage("claude-a")
    assert found is not None and found["models"] == {"claude-a": expected, "small": expected}


def test_impossible_numbers_are_ignored_and_models_bounded() -> None:
    lines = [start(f"m{n}", 1) for n in range(50)]
    lines += [start("m0", odd) for odd in (-1, 10**12, True, "9", 1.5, None)]
    lines += [event("message_delta", usage={"output_tokens": 10**12})]
    found = heard(*lines).usage(None)
    assert found is not None and len(found["models"]) == 8
    assert sum(m["input_tokens"] for m in found["models"].values()) == 50
    most = heard(*[start("m", MAX_REPORTED_TOKENS) for _ in range(3)]).usage(None)
    assert most is not None and most["models"]["m"]["input_tokens"] == MAX_REPORTED_TOKENS
    free = heard({"type": "result", "modelUsage": {"m": {}}, "total_cost_usd": "free"})
    assert free.failed and free.usage(None) == {
        "models": {"m": {"input_tokens": 0, "output_tokens": 0}},
        "micro_usd": None,
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["type", "event", "message", "usage", "content", "text", "model",
                         "modelUsage", "output_tokens", "errors", "result", "subtype"]),
        inner | st.sampled_from(["result", "stream_event", "assistant", "message_start",
                                 "message_delta"]),
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=50)
@given(st.lists(json_values, max_size=6), st.binary(max_size=20), st.integers(1, 50))
def test_no_output_breaks_the_parser(lines: list[Any], noise: bytes, size: int) -> None:
    said = b"\n".join(json.dumps(line).encode() for line in (*HALF, *lines)) + b"\n" + noise
    whole, pieces = ClaudeStream(), ClaudeStream()
    whole.feed(said)
    for begin in range(0, len(said), size):
        pieces.feed(said[begin : begin + size])
    for stream in (whole, pieces):
        stream.end()
        assert isinstance(stream.words, str) and isinstance(stream.failed, bool)
    assert whole.usage("x") == pieces.usage("x") and whole.words == pieces.words


def test_missing_tools_are_noticed() -> None:
    def begun(status: str) -> bool:
        server = {"name": "guardia", "status": status}
        return heard({"type": "system", "subtype": "init", "mcp_servers": [server]}).tools_missing

    assert [begun("connected"), begun("failed")] == [False, True]


def test_an_endless_line_is_dropped() -> None:
    stream = heard(*HALF)
    for _ in range(40):
        stream.feed(b"x" * 65536)
    stream.feed(b"\n" + json.dumps(start("claude-c", 5)).encode() + b"\n")
    found = stream.usage(None)
    assert found is not None and found["models"]["claude-c"]["input_tokens"] == 5
