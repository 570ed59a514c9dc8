"""The wire to Google's Gemini API, against a server of that protocol."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fake_chat import DIRECTORY, GOOD_ANSWER, TEXT, RecordingMeter, chat_brain_chain
from generate_server import MODEL, GenerateServer
from model_server import KEY, CannedReply, ModelServer

from guardia.agents.brain.chat.brain import ChatBrain
from guardia.agents.brain.protocol import BrainResult
from guardia.org.brains import ModelChoice
from guardia.org.credential_store import FileCredentialStore

USAGE = {
    "promptTokenCount": 31,
    "cachedContentTokenCount": 11,  # of those
    "candidatesTokenCount": 9,
    "thoughtsTokenCount": 4,  # besides those
    "totalTokenCount": 44,
}


@pytest.fixture
def gemini() -> Iterator[GenerateServer]:
    with GenerateServer(key=KEY) as running:
        yield running


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GUARDIA_HOME", str(tmp_path))
    monkeypatch.setenv("GUARDIA_MODEL_KEY", "sk-of-our-own-servers")
    FileCredentialStore(tmp_path / "secrets").put("gemini", KEY)


def brain(server: GenerateServer, ledger: RecordingMeter | None = None, **more: Any) -> ChatBrain:
    return chat_brain_chain(choice(server, **more), ledger=ledger)


def choice(server: GenerateServer, **more: Any) -> ModelChoice:
    words = {"provider": "google", "credential": "gemini", "timeout": 5, **more}
    return ModelChoice(base_url=server.url, model=MODEL, **words)


def fell_back(thought: BrainResult[Any], because: str) -> None:
    assert thought.by == "embedded" and because in thought.remark


def test_without_its_library_it_says_what_to_install(
    gemini: GenerateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **words: Any) -> Any:
        if name.startswith("langchain_google_genai"):
            raise ImportError(name)
        return real(name, *args, **words)

    monkeypatch.setattr(builtins, "__import__", without)
    fell_back(brain(gemini).triage(TEXT, DIRECTORY), "guardia[google]")
    assert gemini.paths == []


def test_an_answer_is_the_models_and_paid_for(gemini: GenerateServer) -> None:
    gemini.replies(CannedReply(GOOD_ANSWER, usage=USAGE))
    ledger = RecordingMeter()
    thought = brain(gemini, ledger, max_tokens=700).triage(TEXT, DIRECTORY)
    assert (thought.by, thought.remark) == (f"chat:{MODEL}", "")
    assert thought.answer.servers == ("MOF-DB-01",)
    (end,), (bid,) = ledger.ended, ledger.reserved_bids
    assert (end.outcome, end.tokens_in, end.tokens_out) == ("used", 31, 13)
    (sent,) = gemini.asked
    config = sent["generationConfig"]
    assert config["maxOutputTokens"] == bid.most_out == 700
    assert [c["role"] for c in sent["contents"]] == ["user"] and "tools" not in sent
    told = str(sent["systemInstruction"])
    assert TEXT not in told and "따르지 않습니다" in told
    form = config["responseJsonSchema"]
    assert form["properties"]["servers"]["items"]["enum"] == ["MOF-DB-01", "MOF-WAS-01", "NONE"]
    assert form["propertyOrdering"][0] == "reasons"
    assert "pattern" in form["properties"]["reasons"]["items"]["description"]
    assert not gemini.refusals


def test_where_nobody_listens_nothing_is_used(gemini: GenerateServer) -> None:
    ledger = RecordingMeter()
    nobody = choice(gemini).model_copy(update={"base_url": "http://127.0.0.1:9"})
    fell_back(
        chat_brain_chain(nobody, ledger=ledger).triage(TEXT, DIRECTORY), "연결을 거부했습니다"
    )
    assert [(e.outcome, e.tokens_in, e.tokens_out) for e in ledger.ended] == [("failed", 0, 0)]


def test_what_a_server_claims_is_passed_on_unbelieved(gemini: GenerateServer) -> None:
    ledger = RecordingMeter()
    claims = (
        {"promptTokenCount": -4, "candidatesTokenCount": 10**12},
        {"candidatesTokenCount": 5},
        {},
    )
    for claimed in claims:
        gemini.replies(CannedReply(GOOD_ANSWER, usage=claimed))
        brain(gemini, ledger).triage(TEXT, DIRECTORY)
    said = [(e.tokens_in, e.tokens_out) for e in ledger.ended]
    assert said == [(-4, 10**12), (None, 5), (None, None)]


@pytest.mark.parametrize(
    ("said", "because", "outcome"),
    [
        (CannedReply(status=503), "HTTP 503", "failed"),
        (CannedReply(status=400), "HTTP 400", "failed"),
        (
            CannedReply(GOOD_ANSWER, finish="length", usage=USAGE),
            "길이 제한으로 잘렸습니다",
            "unusable",
        ),
        (
            CannedReply(GOOD_ANSWER, finish="refusal", usage=USAGE),
            "형식이 올바르지 않습니다",
            "unusable",
        ),
        (
            CannedReply(GOOD_ANSWER, finish="A_NEW_ONE", usage=USAGE),
            "형식이 올바르지 않습니다",
            "unusable",
        ),
        (CannedReply({**GOOD_ANSWER, "reasons": ["가" * 200]}, usage=USAGE), "형식", "unusable"),
        (
            CannedReply({**GOOD_ANSWER, "servers": ["ROOT-01"]}, usage=USAGE),
            "선택지에 없는",
            "unusable",
        ),
        (
            CannedReply(body=b'{"promptFeedback": {"blockReason": "SAFETY"}}'),
            "형식이 올바르지",
            "unusable",
        ),
        (CannedReply(body=b"{}"), "형식이 올바르지 않습니다", "unusable"),
        (CannedReply(body=b"nonsense"), "형식이 올바르지 않습니다", "unusable"),
        (CannedReply(hang_up=True), "연결할 수 없습니다", "failed"),
        (CannedReply(GOOD_ANSWER, drip=0.1), "안에 응답하지 않았습니다", "failed"),
        (CannedReply(GOOD_ANSWER, delay=3), "안에 응답하지 않았습니다", "failed"),
    ],
)
def test_each_failure_falls_back_and_says_so(
    gemini: GenerateServer, said: CannedReply, because: str, outcome: str
) -> None:
    gemini.replies(said)
    ledger = RecordingMeter()
    timeout = 0.5 if said.drip or said.delay else 5
    fell_back(brain(gemini, ledger, timeout=timeout).triage(TEXT, DIRECTORY), because)
    assert [e.outcome for e in ledger.ended] == [outcome]
    assert len(gemini.paths) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_names_a_moment_is_asked_once_more(
    gemini: GenerateServer, status: int
) -> None:
    gemini.replies(
        CannedReply(status=status, headers={"retry-after": "0.1"}),
        CannedReply(GOOD_ANSWER, usage=USAGE),
    )
    assert brain(gemini).triage(TEXT, DIRECTORY).by == f"chat:{MODEL}"
    assert len(gemini.paths) == 2


def test_nothing_of_the_environment_comes_between(
    gemini: GenerateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ModelServer() as elsewhere:
        for name in ("GOOGLE_GEMINI_BASE_URL", "HTTP_PROXY", "LANGSMITH_GATEWAY"):
            monkeypatch.setenv(name, elsewhere.url)
        for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY", "LANGSMITH_GATEWAY_API_KEY"):
            monkeypatch.setenv(name, "someone-elses")
        monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "someone-elses")
        gemini.replies(CannedReply(GOOD_ANSWER, usage=USAGE))
        assert brain(gemini).triage(TEXT, DIRECTORY).by == f"chat:{MODEL}"
        assert elsewhere.paths == []
    assert "someone-elses" not in str(gemini.headers)
    assert "sk-of-our-own-servers" not in str(gemini.headers)
    assert gemini.headers[0]["x-goog-api-key"] == KEY


def test_its_client_has_our_limits_for_connecting_too(
    gemini: GenerateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    real = httpx.HTTPTransport.handle_request

    def watched(transport: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        seen.append(request.extensions["timeout"])
        return real(transport, request)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", watched)
    gemini.replies(CannedReply(GOOD_ANSWER, usage=USAGE))
    brain(gemini, timeout=20).triage(TEXT, DIRECTORY)
    (limits,) = seen
    assert limits["connect"] == 5 and 15 < limits["read"] <= 20


def test_the_server_of_these_tests_refuses_what_the_real_one_refuses(
    gemini: GenerateServer,
) -> None:
    gemini.replies(CannedReply("{}"))

    def status(key: str | None = KEY, **more: Any) -> int:
        body = {"contents": [{"role": "user", "parts": [{"text": "?"}]}], **more}
        headers = {"x-goog-api-key": key} if key else {}
        url = f"{gemini.url}{gemini.post_path}"
        return httpx.post(url, json=body, headers=headers).status_code

    form = {"type": "string", "pattern": "^.$"}
    json_only = {"responseMimeType": "application/json"}
    assert status() == 200
    assert (status(None), status("wrong")) == (403, 400)
    assert status(contents=[{"role": "system", "parts": [{"text": "?"}]}]) == 400
    assert status(generationConfig={**json_only, "responseJsonSchema": form}) == 400
    assert status(generationConfig={"responseJsonSchema": {"type": "string"}}) == 400
    assert status(surprise=1) == 400
