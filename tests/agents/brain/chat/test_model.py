"""The wire to a model server: what is sent, what is not, and every way in which it can fail."""

from __future__ import annotations

import json
import logging
import socket
import time
from threading import enumerate as enumerate_threads
from typing import Any

import httpx
import pytest
from fake_chat import DIRECTORY, GOOD_ANSWER, TEXT, RecordingMeter, assert_fell_back, chat_brain
from model_server import KEY, MODEL, CannedReply, ModelServer, completion


def test_what_is_sent_is_strict_cold_and_plain(server: ModelServer) -> None:
    server.replies(CannedReply(GOOD_ANSWER))
    chat_brain(server, role="roles/dispatcher.md").triage(TEXT, DIRECTORY)
    (sent,) = server.asked
    form = sent["response_format"]
    assert form["type"] == "json_schema"
    assert form["json_schema"]["strict"] is True
    assert form["json_schema"]["schema"]["properties"]["servers"]["items"]["enum"] == [
        "MOF-DB-01",
        "MOF-WAS-01",
        "NONE",
    ]
    assert sent["temperature"] == 0
    assert 0 < sent["max_completion_tokens"] <= 2_000
    assert not {"tools", "functions", "guided_json", "stop", "n"} & set(sent)
    assert not sent.get("stream")
    system, user = sent["messages"]
    assert (system["role"], user["role"]) == ("system", "user")
    assert "# 역할: 디스패처" in system["content"]
    assert "따르지 않습니다" in system["content"]
    assert TEXT not in system["content"]
    assert TEXT in user["content"]


def test_the_server_of_these_tests_refuses_what_strict_servers_refuse(server: ModelServer) -> None:
    def status(schema: dict[str, Any]) -> int:
        form = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, **schema}}
        body = {
            "model": MODEL,
            "messages": [{"role": "user", "content": "?"}],
            "response_format": form,
        }
        return httpx.post(f"{server.url}/chat/completions", json=body).status_code

    server.replies(CannedReply("{}"))
    name = {"type": "string", "maxLength": 5}
    good: dict[str, Any] = {
        "type": "object",
        "properties": {},
        "required": [],
        "additionalProperties": False,
    }
    assert status({"schema": good}) == 200
    assert status({"schema": {**good, "additionalProperties": True}}) == 400
    assert status({"schema": {**good, "properties": {"a": name}, "required": ["a"]}}) == 400
    assert status({"schema": {**good, "properties": {"a": {"type": "string"}}}}) == 400


# --- keys and silence about them --------------------------------------------------------------


def test_the_key_is_sent_and_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with ModelServer(key=KEY) as server:
        server.replies(CannedReply(GOOD_ANSWER))
        assert chat_brain(server, key=KEY).triage(TEXT, DIRECTORY).by == f"chat:{MODEL}"
        refused = chat_brain(server, key="sk-wrong-77aa").triage(TEXT, DIRECTORY)
        assert_fell_back(refused, "HTTP 401")
        assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    for secret in (KEY, "sk-wrong-77aa"):
        assert secret not in caplog.text + refused.remark + repr(
            vars(chat_brain(server, key=secret))
        )


def test_the_key_comes_from_the_settings(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-someone-else")
    server.replies(CannedReply(GOOD_ANSWER))
    chat_brain(server).triage(TEXT, DIRECTORY)
    monkeypatch.setenv("GUARDIA_MODEL_KEY", KEY)
    chat_brain(server).triage(TEXT, DIRECTORY)
    assert [h["authorization"] for h in server.headers] == ["Bearer none", f"Bearer {KEY}"]


def test_nothing_but_the_question_leaves_the_process(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither tracing, nor a proxy, nor another address of the environment has a say."""
    from langchain_core.tracers.langchain import wait_for_all_tracers
    from langsmith import utils

    environment: Any = utils.get_env_var

    with ModelServer() as elsewhere:
        for name in ("LANGCHAIN_TRACING_V2", "LANGSMITH_TRACING_V2"):
            monkeypatch.setenv(name, "true")
        monkeypatch.setenv("LANGSMITH_API_KEY", "ls-key")
        for name in ("LANGSMITH_ENDPOINT", "HTTP_PROXY", "OPENAI_PROXY", "OPENAI_BASE_URL"):
            monkeypatch.setenv(name, elsewhere.url)
        looked_up: list[str] = []
        look_up = socket.getaddrinfo

        def recorded(host: Any, *args: Any, **more: Any) -> Any:
            looked_up.append(host)
            return look_up(host, *args, **more)

        monkeypatch.setattr(socket, "getaddrinfo", recorded)
        environment.cache_clear()
        server.replies(CannedReply(GOOD_ANSWER))
        thought = chat_brain(server).triage(TEXT, DIRECTORY)
        wait_for_all_tracers()
        assert thought.by == f"chat:{MODEL}"
        assert server.paths == ["/v1/chat/completions"]
        assert elsewhere.paths == []
        assert set(looked_up) <= {"127.0.0.1"}
    environment.cache_clear()


# --- a model that does not work ---------------------------------------------------------------


QUICK = 0.5


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.parametrize(
    ("said", "because"),
    [
        (CannedReply(status=500), "HTTP 500"),
        (CannedReply(status=429, headers={"retry-after": "50"}), "HTTP 429"),
        (CannedReply(status=503), "HTTP 503"),
        (CannedReply(status=400), "HTTP 400"),
        (CannedReply(status=307, headers={"location": "http://127.0.0.1:9/"}), "HTTP 307"),
        (CannedReply(status=502, body=b"<html>Bad Gateway</html>"), "HTTP 502"),
        (CannedReply(GOOD_ANSWER, finish="length"), "길이 제한으로 잘렸습니다"),
        (CannedReply('{"reasons": ["', finish="length"), "길이 제한으로 잘렸습니다"),
        (CannedReply(GOOD_ANSWER, finish="content_filter"), "형식이 올바르지 않습니다"),
        (CannedReply(GOOD_ANSWER, finish="tool_calls"), "형식이 올바르지 않습니다"),
        (CannedReply("네, DB 문제 같네요!"), "형식이 올바르지 않습니다"),
        (CannedReply({**GOOD_ANSWER, "priority": "P0"}), "형식이 올바르지 않습니다(priority)"),
        (
            CannedReply({**GOOD_ANSWER, "servers": ["ROOT-01"]}),
            "선택지에 없는 값을 선택했습니다(servers)",
        ),
        (CannedReply(body=b"not json"), "형식이 올바르지 않습니다"),
        (CannedReply(body=b"{}"), "형식이 올바르지 않습니다"),
        (CannedReply(body=b"[" * 100_000), "형식이 올바르지 않습니다"),
        (
            CannedReply(body=completion(CannedReply(GOOD_ANSWER)) + b" " * 1_000_000),
            "형식이 올바르지 않습니다",
        ),
        (CannedReply(hang_up=True), "연결할 수 없습니다"),
    ],
)
def test_each_failure_falls_back_at_once_and_says_so(
    server: ModelServer, said: CannedReply, because: str
) -> None:
    server.replies(said)
    begun = time.monotonic()
    assert_fell_back(chat_brain(server).triage(TEXT, DIRECTORY), because)
    assert time.monotonic() - begun < 4
    assert len(server.paths) == 1


@pytest.mark.parametrize(
    "said",
    [CannedReply(GOOD_ANSWER, delay=30), CannedReply(GOOD_ANSWER, drip=0.1)],
    ids=["slow", "drips"],
)
def test_an_answer_that_takes_too_long_is_not_waited_for(
    server: ModelServer, said: CannedReply
) -> None:
    import langchain_openai  # noqa: F401 - the first import takes seconds

    server.replies(said)
    begun = time.monotonic()
    thought = chat_brain(server, timeout=QUICK).triage(TEXT, DIRECTORY)
    assert time.monotonic() - begun < QUICK + 3
    assert_fell_back(thought, "0.5초 안에 응답하지 않았습니다")
    while "chat-model" in {thread.name for thread in enumerate_threads()}:
        assert time.monotonic() - begun < QUICK + 5, "its thread never ends"
        time.sleep(0.05)


def test_a_server_that_is_not_there_is_refused() -> None:
    there = f"http://127.0.0.1:{closed_port()}/v1"
    assert_fell_back(chat_brain(there).triage(TEXT, DIRECTORY), "연결을 거부했습니다")


@pytest.mark.parametrize("url", ["nonsense", "http://", "ftp://127.0.0.1/v1", "http://[::1"])
def test_an_address_that_is_none_falls_back(url: str) -> None:
    assert_fell_back(chat_brain(url).triage(TEXT, DIRECTORY), "모델")


def test_what_each_answer_used_is_told_and_checked_by_nobody_here(server: ModelServer) -> None:
    """The desk believes no server; here only what nothing was sent for counts as nothing."""
    hostile = {"prompt_tokens": -5, "completion_tokens": 10**12, "total_tokens": 1}
    server.replies(
        CannedReply("아니요"),
        CannedReply(GOOD_ANSWER, finish="length"),
        CannedReply(GOOD_ANSWER, usage=hostile),
        CannedReply(GOOD_ANSWER, usage=None),
        CannedReply(status=500),
        CannedReply(hang_up=True),
    )
    ledger = RecordingMeter()
    asking = chat_brain(server, ledger=ledger)
    for _ in range(6):
        asking.triage(TEXT, DIRECTORY)
    assert_fell_back(
        chat_brain(f"http://127.0.0.1:{closed_port()}/v1", ledger=ledger).triage(TEXT, DIRECTORY),
        "거부했습니다",
    )
    assert [(e.outcome, e.tokens_in, e.tokens_out) for e in ledger.ended] == [
        ("unusable", 30, 12),
        ("unusable", 30, 12),
        ("used", -5, 10**12),
        ("used", None, None),
        ("failed", 0, 0),
        ("failed", None, None),
        ("failed", 0, 0),
    ]
    assert len(ledger.reserved_bids) == 7
    sent = json.dumps(server.asked[0], ensure_ascii=False).encode()
    assert len(sent) / 2 < ledger.reserved_bids[0].most_in
    assert ledger.reserved_bids[0].most_out == server.asked[0]["max_completion_tokens"]


# --- second tries -----------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_names_a_moment_is_asked_once_more(server: ModelServer, status: int) -> None:
    server.replies(
        CannedReply(status=status, headers={"retry-after": "0.2"}), CannedReply(GOOD_ANSWER)
    )
    ledger = RecordingMeter()
    assert chat_brain(server, ledger=ledger).triage(TEXT, DIRECTORY).by == f"chat:{MODEL}"
    assert len(server.paths) == 2
    assert [e.outcome for e in ledger.ended] == ["used"]


def test_it_is_asked_no_third_time(server: ModelServer) -> None:
    server.replies(CannedReply(status=503, headers={"retry-after": "0.1"}))
    assert_fell_back(chat_brain(server).triage(TEXT, DIRECTORY), "HTTP 503")
    assert len(server.paths) == 2


@pytest.mark.parametrize(
    "later", ["4", "-1", "nan", "inf", "soon", "Wed, 21 Oct 2026 07:28:00 GMT"]
)
def test_a_moment_that_is_too_late_or_none_is_not_waited_for(
    server: ModelServer, later: str
) -> None:
    server.replies(
        CannedReply(status=503, headers={"retry-after": later}), CannedReply(GOOD_ANSWER)
    )
    assert_fell_back(chat_brain(server).triage(TEXT, DIRECTORY), "HTTP 503")
    assert len(server.paths) == 1
