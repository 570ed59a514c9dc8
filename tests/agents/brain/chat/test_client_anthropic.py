"""The wire to Anthropic's Messages API, against a server of that protocol."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fake_chat import DIRECTORY, GOOD_ANSWER, TEXT, RecordingMeter, chat_brain_chain
from messages_server import MODEL, VERSION, MessagesServer
from model_server import KEY, CannedReply, ModelServer

from guardia.agents.brain.chat.brain import ChatBrain
from guardia.agents.brain.protocol import BrainResult
from guardia.org.brains import ModelChoice
from guardia.org.credential_store import FileCredentialStore

USAGE = {
    "input_tokens": 15,
    "cache_creation_input_tokens": 5,
    "cache_read_input_tokens": 11,
    "output_tokens": 13,
}
"""What went into a cache or came from it is paid for too."""


@pytest.fixture
def claude() -> Iterator[MessagesServer]:
    with MessagesServer(key=KEY) as running:
        yield running


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GUARDIA_HOME", str(tmp_path))
    monkeypatch.setenv("GUARDIA_MODEL_KEY", "sk-of-our-own-servers")
    FileCredentialStore(tmp_path / "secrets").put("claude", KEY)


def brain(server: MessagesServer, ledger: RecordingMeter | None = None, **more: Any) -> ChatBrain:
    return chat_brain_chain(choice(server, **more), ledger=ledger)


def choice(server: MessagesServer, **more: Any) -> ModelChoice:
    words = {"provider": "anthropic", "credential": "claude", "timeout": 5, **more}
    return ModelChoice(base_url=server.url, model=MODEL, **words)


def fell_back(thought: BrainResult[Any], because: str) -> None:
    assert thought.by == "embedded" and because in thought.remark


def test_without_its_library_it_says_what_to_install(
    claude: MessagesServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **words: Any) -> Any:
        if name.startswith("langchain_anthropic"):
            raise ImportError(name)
        return real(name, *args, **words)

    monkeypatch.setattr(builtins, "__import__", without)
    fell_back(brain(claude).triage(TEXT, DIRECTORY), "guardia[anthropic]")
    assert claude.paths == []


class TestInstalled:
    """With the extra."""

    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        pytest.importorskip("langchain_anthropic")

    def test_an_answer_is_the_models_and_paid_for(self, claude: MessagesServer) -> None:
        claude.replies(CannedReply(GOOD_ANSWER, usage=USAGE))
        ledger = RecordingMeter()
        thought = brain(claude, ledger, max_tokens=700).triage(TEXT, DIRECTORY)
        assert (thought.by, thought.remark) == (f"chat:{MODEL}", "")
        assert thought.answer.servers == ("MOF-DB-01",)
        (end,), (bid,) = ledger.ended, ledger.reserved_bids
        assert (end.outcome, end.tokens_in, end.tokens_out) == ("used", 31, 13)
        (sent,) = claude.asked
        assert sent["max_tokens"] == bid.most_out == 700
        assert not sent.get("stream")
        assert [m["role"] for m in sent["messages"]] == ["user"]
        assert TEXT not in str(sent["system"]) and "따르지 않습니다" in str(sent["system"])
        properties = sent["output_config"]["format"]["schema"]["properties"]
        assert properties["servers"]["items"]["enum"] == ["MOF-DB-01", "MOF-WAS-01", "NONE"]
        assert not claude.refusals

    def test_what_a_server_claims_is_passed_on_unbelieved(self, claude: MessagesServer) -> None:
        ledger = RecordingMeter()
        for claimed in ({"input_tokens": -4, "output_tokens": 10**12}, {"input_tokens": None}, {}):
            claude.replies(CannedReply(GOOD_ANSWER, usage=claimed))
            brain(claude, ledger).triage(TEXT, DIRECTORY)
        said = [(e.tokens_in, e.tokens_out) for e in ledger.ended]
        assert said == [(-4, 10**12), (None, None), (None, None)]

    @pytest.mark.parametrize(
        ("said", "because", "outcome"),
        [
            (CannedReply(status=529), "HTTP 529", "failed"),
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
                CannedReply({**GOOD_ANSWER, "reasons": ["가" * 200]}, usage=USAGE),
                "형식",
                "unusable",
            ),
            (
                CannedReply({**GOOD_ANSWER, "servers": ["ROOT-01"]}, usage=USAGE),
                "선택지에 없는",
                "unusable",
            ),
            (CannedReply(body=b"{}"), "형식이 올바르지 않습니다", "unusable"),
            (CannedReply(body=b"nonsense"), "형식이 올바르지 않습니다", "unusable"),
            (CannedReply(hang_up=True), "연결할 수 없습니다", "failed"),
            (CannedReply(GOOD_ANSWER, drip=0.1), "안에 응답하지 않았습니다", "failed"),
        ],
    )
    def test_each_failure_falls_back_and_says_so(
        self, claude: MessagesServer, said: CannedReply, because: str, outcome: str
    ) -> None:
        claude.replies(said)
        ledger = RecordingMeter()
        timeout = 0.5 if said.drip else 5
        fell_back(brain(claude, ledger, timeout=timeout).triage(TEXT, DIRECTORY), because)
        assert [e.outcome for e in ledger.ended] == [outcome]
        assert len(claude.paths) == 1

    def test_a_server_that_names_a_moment_is_asked_once_more(self, claude: MessagesServer) -> None:
        claude.replies(
            CannedReply(status=429, headers={"retry-after": "0.1"}),
            CannedReply(GOOD_ANSWER, usage=USAGE),
        )
        assert brain(claude).triage(TEXT, DIRECTORY).by == f"chat:{MODEL}"

    def test_nothing_of_the_environment_comes_between(
        self, claude: MessagesServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with ModelServer() as elsewhere:
            for name in (
                "ANTHROPIC_BASE_URL",
                "ANTHROPIC_API_URL",
                "HTTP_PROXY",
                "ANTHROPIC_PROXY",
            ):
                monkeypatch.setenv(name, elsewhere.url)
            monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "someone-elses")
            monkeypatch.setenv("ANTHROPIC_API_KEY", "someone-elses")
            claude.replies(CannedReply(GOOD_ANSWER, usage=USAGE))
            assert brain(claude).triage(TEXT, DIRECTORY).by == f"chat:{MODEL}"
            assert elsewhere.paths == []
        assert "someone-elses" not in str(claude.headers)
        assert "sk-of-our-own-servers" not in str(claude.headers)
        assert claude.headers[0]["authorization"] == f"Bearer {KEY}"

    def test_it_goes_before_a_server_of_the_other_protocol(self, claude: MessagesServer) -> None:
        with ModelServer() as second:
            claude.replies(CannedReply(status=500))
            second.replies(CannedReply(GOOD_ANSWER))
            models = (
                choice(claude),
                ModelChoice(base_url=second.url, model="guardia-test-8b", timeout=5),
            )
            assert chat_brain_chain(*models).triage(TEXT, DIRECTORY).by == "chat:guardia-test-8b"

    def test_the_server_of_these_tests_refuses_what_the_real_one_refuses(
        self, claude: MessagesServer
    ) -> None:
        claude.replies(CannedReply("{}"))

        def status(headers: dict[str, str], **more: Any) -> int:
            body = {"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "?"}]}
            sent = httpx.post(f"{claude.url}/v1/messages", json={**body, **more}, headers=headers)
            return sent.status_code

        right = {"anthropic-version": VERSION, "authorization": f"Bearer {KEY}"}
        listed = {"type": "array", "items": {"type": "string"}, "maxItems": 3}
        form = {"type": "json_schema", "schema": listed}
        assert status(right) == 200
        assert status({**right, "authorization": "Bearer wrong"}) == 401
        assert status({"authorization": right["authorization"]}) == 400
        assert status(right, messages=[{"role": "system", "content": "?"}]) == 400
        assert status(right, output_config={"format": form}) == 400
