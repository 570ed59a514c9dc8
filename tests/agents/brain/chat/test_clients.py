"""Contract of every chat model client, each against a server of its protocol.

What only one of them does is in `test_client_<provider>.py`.
"""

from __future__ import annotations

import builtins
import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import enumerate as enumerate_threads
from typing import Any

import pytest
from chat_providers import PROVIDERS, ChatProvider
from fake_chat import (
    DIRECTORY,
    GOOD_ANSWER,
    TEXT,
    RecordingMeter,
    assert_fell_back,
    chat_brain_chain,
    closed_port,
)
from model_server import KEY, CannedReply, ModelServer
from waiting import AN_HOUR, PATIENCE, hang_guard, wait_until

from guardia.agents.brain.chat import client_factory
from guardia.org.credential_store import FileCredentialStore

QUICK = 0.5
USED_ELSEWHERE = "sk-of-someone-else"
OUR_OWN = "sk-of-our-own-servers"
OPTIONAL = pytest.mark.parametrize(
    "provider",
    [pytest.param(p, id=p.name, marks=pytest.mark.slow) for p in PROVIDERS if p.extra],
    indirect=True,
)
"""Return the providers whose library comes with an extra of GUARDiA."""


EACH = [
    # Loading the library of an extra takes seconds.
    pytest.param(p, id=p.name, marks=pytest.mark.slow if p.extra else ())
    for p in PROVIDERS
]


@pytest.fixture(params=EACH)
def provider(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> ChatProvider:
    """Each provider in turn; its key is in the credential store."""
    found: ChatProvider = request.param
    pytest.importorskip(found.library)
    client_factory.client_for(found.name)  # the first import takes seconds of an answer's time
    monkeypatch.setenv("GUARDIA_HOME", str(tmp_path))
    monkeypatch.setenv("GUARDIA_MODEL_KEY", OUR_OWN)
    FileCredentialStore(tmp_path / "secrets").put(found.name, KEY)
    return found


@pytest.fixture
def server(provider: ChatProvider) -> Iterator[ModelServer]:
    """A server of the provider's protocol that requires the key."""
    with provider.server(key=KEY) as running:
        yield running


# --- an answer --------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_answer_is_the_models_and_paid_for(provider: ChatProvider, server: ModelServer) -> None:
    server.replies(CannedReply(GOOD_ANSWER, usage=provider.usage))
    meter = RecordingMeter()
    result = provider.brain(server, meter, max_tokens=700).triage(TEXT, DIRECTORY)
    assert (result.by, result.caveat) == (f"chat:{provider.model}", "")
    assert result.answer.reasons[-1:] == tuple(GOOD_ANSWER["reasons"])
    assert result.answer.model_dump(exclude={"reasons"}) == {
        **{name: value for name, value in GOOD_ANSWER.items() if name != "reasons"},
        "servers": ("MOF-DB-01",),
        "action_type": None,
    }
    (end,), (request,) = meter.settled, meter.reserved
    assert (end.outcome, end.tokens_in, end.tokens_out) == ("used", 31, 13)
    (sent,) = server.asked
    assert provider.max_tokens(sent) == request.most_out == 700
    assert len(json.dumps(sent, ensure_ascii=False).encode()) / 2 < request.most_in


@pytest.mark.slow
def test_what_is_sent_is_one_question_with_a_bounded_form(
    provider: ChatProvider, server: ModelServer
) -> None:
    server.replies(CannedReply(GOOD_ANSWER, usage=provider.usage))
    provider.brain(server).triage(TEXT, DIRECTORY)
    (sent,) = server.asked
    assert server.paths == [server.post_path] and not server.refusals
    assert not {"tools", "functions", "stop", "n"} & set(sent) and not sent.get("stream")
    assert provider.roles(sent) == ["user"]
    assert TEXT not in provider.system(sent) and "따르지 않습니다" in provider.system(sent)
    servers = provider.schema(sent)["properties"]["servers"]
    assert servers["items"]["enum"] == ["MOF-DB-01", "NONE"]


@pytest.mark.slow
def test_what_a_server_claims_to_have_used_is_passed_on_unbelieved(
    provider: ChatProvider, server: ModelServer
) -> None:
    meter = RecordingMeter()
    for claimed, _ in provider.claims:
        server.replies(CannedReply(GOOD_ANSWER, usage=claimed))
        provider.brain(server, meter).triage(TEXT, DIRECTORY)
    told = [(e.outcome, (e.tokens_in, e.tokens_out)) for e in meter.settled]
    assert told == [("used", expected) for _, expected in provider.claims]


# --- a failing model --------------------------------------------------------------------------

INVALID = "형식이 올바르지 않습니다"
CUT_OFF = "길이 제한으로 잘렸습니다"
FAILURES: dict[str, tuple[CannedReply, str, str]] = {
    "an error": (CannedReply(status=500), "HTTP 500", "failed"),
    "busy for an hour": (
        CannedReply(status=429, headers={"retry-after": "3600"}), "HTTP 429", "failed",
    ),
    "away": (CannedReply(status=503), "HTTP 503", "failed"),
    "overloaded": (CannedReply(status=529), "HTTP 529", "failed"),
    "a question it dislikes": (CannedReply(status=400), "HTTP 400", "failed"),
    "a redirection": (
        CannedReply(status=307, headers={"location": "http://127.0.0.1:9/"}), "HTTP 307", "failed",
    ),
    "a gateway's page": (
        CannedReply(status=502, body=b"<html>Bad Gateway</html>"), "HTTP 502", "failed",
    ),
    "nothing": (CannedReply(hang_up=True), "연결할 수 없습니다", "failed"),
    "an answer cut off": (CannedReply(GOOD_ANSWER, finish="length"), CUT_OFF, "unusable"),
    "half an answer": (CannedReply('{"reasons": ["', finish="length"), CUT_OFF, "unusable"),
    "an end that is new": (CannedReply(GOOD_ANSWER, finish="A_NEW_ONE"), INVALID, "unusable"),
    "a chat": (CannedReply("네, DB 문제 같네요!"), INVALID, "unusable"),
    "an unknown choice": (
        CannedReply({**GOOD_ANSWER, "priority": "P0"}), f"{INVALID}(priority)", "unusable",
    ),
    "a long reason": (CannedReply({**GOOD_ANSWER, "reasons": ["가" * 200]}), INVALID, "unusable"),
    "another server": (
        CannedReply({**GOOD_ANSWER, "servers": ["ROOT-01"]}),
        "선택지에 없는 값을 선택했습니다(servers)",
        "unusable",
    ),
    "no JSON": (CannedReply(body=b"nonsense"), INVALID, "unusable"),
    "an empty object": (CannedReply(body=b"{}"), INVALID, "unusable"),
    "a deep one": (CannedReply(body=b"[" * 100_000), INVALID, "unusable"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("failure", FAILURES)
def test_each_failure_falls_back_after_one_question_and_says_so(
    provider: ChatProvider, server: ModelServer, failure: str
) -> None:
    said, because, outcome = FAILURES[failure]
    server.replies(said)
    meter = RecordingMeter()
    with hang_guard("it does not wait for as long as the server likes"):
        result = provider.brain(server, meter).triage(TEXT, DIRECTORY)
    assert_fell_back(result, because, provider.model)
    assert [e.outcome for e in meter.settled] == [outcome]
    assert len(server.paths) == 1


def test_an_answer_without_end_is_not_read_to_its_end(
    provider: ChatProvider, server: ModelServer
) -> None:
    because, outcome = provider.too_long
    server.replies(CannedReply(GOOD_ANSWER, padding=1_000_000))
    meter = RecordingMeter()
    result = provider.brain(server, meter).triage(TEXT, DIRECTORY)
    assert_fell_back(result, because, provider.model)
    assert [e.outcome for e in meter.settled] == [outcome]
    assert len(server.paths) == 1


def test_an_answer_that_the_provider_withholds_is_none(
    provider: ChatProvider, server: ModelServer
) -> None:
    finish, used = provider.withheld
    server.replies(CannedReply(GOOD_ANSWER, finish=finish, usage=provider.usage))
    meter = RecordingMeter()
    result = provider.brain(server, meter).triage(TEXT, DIRECTORY)
    assert_fell_back(result, INVALID, provider.model)
    (end,) = meter.settled
    assert (end.outcome, (end.tokens_in, end.tokens_out)) == ("unusable", used)


@pytest.mark.parametrize(
    "said",
    [CannedReply(GOOD_ANSWER, delay=AN_HOUR), CannedReply(GOOD_ANSWER, drip=0.1, padding=100_000)],
    ids=["slow", "drips"],
)
@pytest.mark.slow
def test_an_answer_that_takes_hours_is_not_waited_for(
    provider: ChatProvider, server: ModelServer, said: CannedReply
) -> None:
    server.replies(said)
    meter = RecordingMeter()
    with hang_guard("the model's own time ends it"):
        result = provider.brain(server, meter, timeout=QUICK).triage(TEXT, DIRECTORY)
    assert_fell_back(result, "0.5초 안에 응답하지 않았습니다", provider.model)
    assert [e.outcome for e in meter.settled] == ["failed"]
    assert wait_until(lambda: "chat-model" not in {t.name for t in enumerate_threads()})


@pytest.mark.slow
def test_where_nobody_listens_nothing_is_used(provider: ChatProvider) -> None:
    meter = RecordingMeter()
    nobody = provider.brain(f"http://127.0.0.1:{closed_port()}", meter)
    assert_fell_back(nobody.triage(TEXT, DIRECTORY), "연결을 거부했습니다", provider.model)
    assert [(e.outcome, e.tokens_in, e.tokens_out) for e in meter.settled] == [("failed", 0, 0)]


@pytest.mark.parametrize("url", ["nonsense", "http://", "ftp://127.0.0.1/v1", "http://[::1"])
@pytest.mark.slow
def test_an_address_that_is_none_falls_back(provider: ChatProvider, url: str) -> None:
    assert_fell_back(provider.brain(url).triage(TEXT, DIRECTORY), "모델", provider.model)


@OPTIONAL
def test_without_its_library_it_says_what_to_install(
    provider: ChatProvider, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **words: Any) -> Any:
        if name.startswith(provider.library):
            raise ImportError(name)
        return real(name, *args, **words)

    monkeypatch.setattr(builtins, "__import__", without)
    result = provider.brain(server).triage(TEXT, DIRECTORY)
    assert_fell_back(result, f"guardia[{provider.extra}]", provider.model)
    assert server.paths == []


# --- second attempts --------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_names_a_moment_is_asked_once_more(
    provider: ChatProvider, server: ModelServer, status: int
) -> None:
    server.replies(
        CannedReply(status=status, headers={"retry-after": "0.1"}),
        CannedReply(GOOD_ANSWER, usage=provider.usage),
    )
    meter = RecordingMeter()
    assert provider.brain(server, meter).triage(TEXT, DIRECTORY).by == f"chat:{provider.model}"
    assert len(server.paths) == 2
    assert [e.outcome for e in meter.settled] == ["used"]


@pytest.mark.slow
def test_it_is_asked_no_third_time(provider: ChatProvider, server: ModelServer) -> None:
    server.replies(CannedReply(status=503, headers={"retry-after": "0.1"}))
    result = provider.brain(server).triage(TEXT, DIRECTORY)
    assert_fell_back(result, "HTTP 503", provider.model)
    assert len(server.paths) == 2


@pytest.mark.slow
@pytest.mark.parametrize("first", PROVIDERS, ids=lambda provider: f"after-{provider.name}")
def test_models_of_two_protocols_are_asked_in_order(
    provider: ChatProvider, server: ModelServer, first: ChatProvider, tmp_path: Path
) -> None:
    pytest.importorskip(first.library)
    FileCredentialStore(tmp_path / "secrets").put(first.name, KEY)
    with first.server(key=KEY) as broken:
        broken.replies(CannedReply(status=500))
        server.replies(CannedReply(GOOD_ANSWER, usage=provider.usage))
        chain = chat_brain_chain(first.choice(broken), provider.choice(server))
        result = chain.triage(TEXT, DIRECTORY)
        assert result.by == f"chat:{provider.model}" and "HTTP 500" in result.caveat
        assert (len(broken.paths), len(server.paths)) == (1, 1)


# --- keys are never shown ---------------------------------------------------------------------


@pytest.mark.slow
def test_the_key_is_sent_and_shown_nowhere(
    provider: ChatProvider,
    server: ModelServer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    server.replies(CannedReply(GOOD_ANSWER, usage=provider.usage))
    right = provider.brain(server)
    assert right.triage(TEXT, DIRECTORY).by == f"chat:{provider.model}"
    wrong_key = "sk-wrong-77aa"
    FileCredentialStore(tmp_path / "secrets").put(provider.name, wrong_key)
    wrong = provider.brain(server)
    refused = wrong.triage(TEXT, DIRECTORY)
    assert_fell_back(refused, f"HTTP {provider.wrong_key}", provider.model)
    first, second = server.headers
    assert provider.headers(KEY).items() <= first.items()
    assert provider.headers(wrong_key).items() <= second.items()
    for secret in (KEY, wrong_key):
        shown = caplog.text + refused.caveat + repr(vars(right)) + repr(vars(wrong))
        assert secret not in shown


def test_nothing_but_the_question_leaves_the_process(
    provider: ChatProvider, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither tracing, nor a proxy, an address or a key of the environment has an effect."""
    from langchain_core.tracers.langchain import wait_for_all_tracers
    from langsmith import utils

    environment: Any = utils.get_env_var
    with ModelServer() as elsewhere:
        for name in ("LANGCHAIN_TRACING_V2", "LANGSMITH_TRACING_V2", "GOOGLE_GENAI_USE_VERTEXAI"):
            monkeypatch.setenv(name, "true")
        for name in ("LANGSMITH_ENDPOINT", "HTTP_PROXY", "HTTPS_PROXY", *provider.addresses):
            monkeypatch.setenv(name, elsewhere.url)
        for name in ("LANGSMITH_API_KEY", "GOOGLE_CLOUD_PROJECT", *provider.keys):
            monkeypatch.setenv(name, USED_ELSEWHERE)
        looked_up: list[str] = []
        look_up = socket.getaddrinfo

        def recorded(host: Any, *args: Any, **more: Any) -> Any:
            looked_up.append(host)
            return look_up(host, *args, **more)

        monkeypatch.setattr(socket, "getaddrinfo", recorded)
        environment.cache_clear()
        server.replies(CannedReply(GOOD_ANSWER, usage=provider.usage))
        result = provider.brain(server).triage(TEXT, DIRECTORY)
        wait_for_all_tracers()
        assert result.by == f"chat:{provider.model}"
        assert server.paths == [server.post_path]
        assert elsewhere.paths == []
        assert set(looked_up) <= {"127.0.0.1"}
    environment.cache_clear()
    assert USED_ELSEWHERE not in str(server.headers)
    assert OUR_OWN not in str(server.headers) + str(server.asked)
    assert provider.headers(KEY).items() <= server.headers[0].items()


@pytest.mark.slow
def test_its_library_gets_our_limits_for_connecting_and_reading(
    provider: ChatProvider, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    transport = client_factory.client_for(provider.name).http_library.HTTPTransport
    real = transport.handle_request

    def watched(self: Any, request: Any) -> Any:
        seen.append(request.extensions["timeout"])
        return real(self, request)

    monkeypatch.setattr(transport, "handle_request", watched)
    server.replies(CannedReply(GOOD_ANSWER, usage=provider.usage))
    provider.brain(server, timeout=PATIENCE).triage(TEXT, DIRECTORY)
    (limits,) = seen
    assert limits["connect"] == 5 and 5 < limits["read"] <= PATIENCE


@OPTIONAL
def test_the_installations_own_key_goes_to_its_own_servers_only(provider: ChatProvider) -> None:
    with pytest.raises(ValueError, match="credential"):
        provider.choice("http://127.0.0.1:1", credential=None)
