"""What only the client of OpenAI's protocol does; the contract of all is in `test_clients.py`."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fake_chat import DIRECTORY, GOOD_ANSWER, TEXT, assert_fell_back, chat_brain
from model_server import KEY, MODEL, CannedReply, ModelServer
from waiting import PATIENCE


@pytest.mark.slow
def test_what_is_sent_is_strict_cold_and_plain(server: ModelServer) -> None:
    server.replies(CannedReply(GOOD_ANSWER))
    chat_brain(server, role="roles/dispatcher.md").triage(TEXT, DIRECTORY)
    (sent,) = server.asked
    form = sent["response_format"]
    assert form["type"] == "json_schema"
    assert form["json_schema"]["strict"] is True
    assert form["json_schema"]["schema"]["properties"]["servers"]["items"]["enum"] == [
        "MOF-DB-01",
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
        return httpx.post(f"{server.url}/chat/completions", json=body, timeout=PATIENCE).status_code

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


@pytest.mark.slow
def test_the_key_comes_from_the_settings(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-someone-else")
    server.replies(CannedReply(GOOD_ANSWER))
    chat_brain(server).triage(TEXT, DIRECTORY)
    monkeypatch.setenv("GUARDIA_MODEL_KEY", KEY)
    chat_brain(server).triage(TEXT, DIRECTORY)
    assert [h["authorization"] for h in server.headers] == ["Bearer none", f"Bearer {KEY}"]


@pytest.mark.parametrize("finish", ["content_filter", "tool_calls"])
@pytest.mark.slow
def test_an_answer_that_did_not_stop_by_itself_is_none(server: ModelServer, finish: str) -> None:
    server.replies(CannedReply(GOOD_ANSWER, finish=finish))
    assert_fell_back(chat_brain(server).triage(TEXT, DIRECTORY), "형식이 올바르지 않습니다")
    assert len(server.paths) == 1
