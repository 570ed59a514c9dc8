"""What only Google's client does; the contract of all clients is in `test_clients.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from chat_providers import GOOGLE
from fake_chat import DIRECTORY, GOOD_ANSWER, TEXT, RecordingMeter, assert_fell_back
from generate_server import GenerateServer
from model_server import KEY, CannedReply
from waiting import PATIENCE

from guardia.org.credential_store import FileCredentialStore


@pytest.fixture
def gemini(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[GenerateServer]:
    monkeypatch.setenv("GUARDIA_HOME", str(tmp_path))
    FileCredentialStore(tmp_path / "secrets").put(GOOGLE.name, KEY)
    with GenerateServer(key=KEY) as running:
        yield running


@pytest.mark.slow
def test_the_reason_is_asked_for_first_and_patterns_are_words(gemini: GenerateServer) -> None:
    gemini.replies(CannedReply(GOOD_ANSWER, usage=GOOGLE.usage))
    GOOGLE.brain(gemini).triage(TEXT, DIRECTORY)
    form = GOOGLE.schema(gemini.asked[0])
    assert form["propertyOrdering"][0] == "reasons"
    assert "pattern" in form["properties"]["reasons"]["items"]["description"]


@pytest.mark.slow
def test_a_question_that_is_blocked_has_no_answer(gemini: GenerateServer) -> None:
    gemini.replies(CannedReply(body=b'{"promptFeedback": {"blockReason": "SAFETY"}}'))
    meter = RecordingMeter()
    result = GOOGLE.brain(gemini, meter).triage(TEXT, DIRECTORY)
    assert_fell_back(result, "형식이 올바르지", GOOGLE.model)
    assert [e.outcome for e in meter.settled] == ["unusable"]
    assert len(gemini.paths) == 1


def test_the_server_of_these_tests_refuses_what_the_real_one_refuses(
    gemini: GenerateServer,
) -> None:
    gemini.replies(CannedReply("{}"))

    def status(key: str | None = KEY, **more: Any) -> int:
        body = {"contents": [{"role": "user", "parts": [{"text": "?"}]}], **more}
        headers = GOOGLE.headers(key) if key else {}
        url = f"{gemini.url}{gemini.post_path}"
        return httpx.post(url, json=body, headers=headers, timeout=PATIENCE).status_code

    form = {"type": "string", "pattern": "^.$"}
    json_only = {"responseMimeType": "application/json"}
    assert status() == 200
    assert (status(None), status("wrong")) == (403, 400)
    assert status(contents=[{"role": "system", "parts": [{"text": "?"}]}]) == 400
    assert status(generationConfig={**json_only, "responseJsonSchema": form}) == 400
    assert status(generationConfig={"responseJsonSchema": {"type": "string"}}) == 400
    assert status(surprise=1) == 400
