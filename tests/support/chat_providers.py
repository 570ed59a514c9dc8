"""The providers of chat models: each with its fake server and the field names of its protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import generate_server
import messages_server
import model_server
from fake_chat import RecordingMeter, chat_brain_chain
from generate_server import GenerateServer
from messages_server import MessagesServer
from model_server import ModelServer
from waiting import PATIENCE

from guardia.agents.brain.chat.brain import ChatBrain
from guardia.org.brains import ModelChoice

Body = dict[str, Any]
_INVALID = ("형식이 올바르지 않습니다", "unusable")


@dataclass(frozen=True)
class ChatProvider:
    """What the contract tests of all clients need to know about one protocol."""

    name: str
    server: type[ModelServer]
    model: str
    usage: dict[str, int]
    """31 tokens in and 13 out, split over all counters of the protocol."""
    claims: tuple[tuple[Any, tuple[object, object]], ...]
    """Usage that a server may claim, and what of it is passed on."""
    headers: Callable[[str], dict[str, str]]
    """Headers that carry a key."""
    wrong_key: int
    """Status with which a wrong key is refused."""
    withheld: tuple[str, tuple[object, object]]
    """Finish reason of a withheld answer, and the usage that is then known."""
    too_long: tuple[str, str]
    """Reason and outcome of an answer without an end."""
    addresses: tuple[str, ...]
    """Variables from which its libraries would take an address."""
    keys: tuple[str, ...]
    """Variables from which its libraries would take a key."""
    library: str
    extra: str | None
    system: Callable[[Body], str]
    roles: Callable[[Body], list[str]]
    max_tokens: Callable[[Body], int]
    schema: Callable[[Body], Body]

    def choice(self, server: ModelServer | str, **more: Any) -> ModelChoice:
        """Return a chart's entry for a server, with a key of the provider's name."""
        url = server if isinstance(server, str) else server.url
        words = {"credential": self.name, "timeout": PATIENCE, **more}
        words = {"cold_timeout": words["timeout"], **words}
        return ModelChoice(provider=self.name, base_url=url, model=self.model, **words)  # type: ignore[arg-type]

    def brain(
        self, server: ModelServer | str, meter: RecordingMeter | None = None, **more: Any
    ) -> ChatBrain:
        """Return a brain that calls only this server."""
        return chat_brain_chain(self.choice(server, **more), meter=meter)


OPENAI = ChatProvider(
    name="openai",
    server=ModelServer,
    model=model_server.MODEL,
    usage={"prompt_tokens": 31, "completion_tokens": 13, "total_tokens": 44},
    claims=(
        ({"prompt_tokens": -4, "completion_tokens": 10**12, "total_tokens": 1}, (-4, 10**12)),
        (None, (None, None)),
    ),
    headers=lambda key: {"authorization": f"Bearer {key}"},
    wrong_key=401,
    withheld=("content_filter", (None, None)),
    too_long=_INVALID,
    addresses=("OPENAI_BASE_URL", "OPENAI_API_BASE", "OPENAI_PROXY"),
    keys=("OPENAI_API_KEY", "OPENAI_ADMIN_KEY"),
    library="langchain_openai",
    extra=None,
    system=lambda sent: str(sent["messages"][0]["content"]),
    roles=lambda sent: [m["role"] for m in sent["messages"] if m["role"] != "system"],
    max_tokens=lambda sent: int(sent["max_completion_tokens"]),
    schema=lambda sent: sent["response_format"]["json_schema"]["schema"],
)
ANTHROPIC = ChatProvider(
    name="anthropic",
    server=MessagesServer,
    model=messages_server.MODEL,
    # Tokens written to or read from a cache are paid for, too.
    usage={
        "input_tokens": 15,
        "cache_creation_input_tokens": 5,
        "cache_read_input_tokens": 11,
        "output_tokens": 13,
    },
    claims=(
        ({"input_tokens": -4, "output_tokens": 10**12}, (-4, 10**12)),
        ({"input_tokens": None}, (None, None)),
        ({}, (None, None)),
    ),
    headers=lambda key: {"authorization": f"Bearer {key}"},
    wrong_key=401,
    withheld=("refusal", (31, 13)),
    too_long=("연결할 수 없습니다", "failed"),  # its library reports any error like this
    addresses=("ANTHROPIC_BASE_URL", "ANTHROPIC_API_URL", "ANTHROPIC_PROXY"),
    keys=("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"),
    library="langchain_anthropic",
    extra="anthropic",
    system=lambda sent: str(sent["system"]),
    roles=lambda sent: [m["role"] for m in sent["messages"]],
    max_tokens=lambda sent: int(sent["max_tokens"]),
    schema=lambda sent: sent["output_config"]["format"]["schema"],
)
GOOGLE = ChatProvider(
    name="google",
    server=GenerateServer,
    model=generate_server.MODEL,
    usage={
        "promptTokenCount": 31,
        "cachedContentTokenCount": 11,  # of those
        "candidatesTokenCount": 9,
        "thoughtsTokenCount": 4,  # in addition to those
        "totalTokenCount": 44,
    },
    claims=(
        ({"promptTokenCount": -4, "candidatesTokenCount": 10**12}, (-4, 10**12)),
        ({"candidatesTokenCount": 5}, (None, 5)),
        ({}, (None, None)),
    ),
    headers=lambda key: {"x-goog-api-key": key},
    wrong_key=400,
    withheld=("refusal", (31, 13)),
    too_long=_INVALID,
    addresses=("GOOGLE_GEMINI_BASE_URL", "LANGSMITH_GATEWAY"),
    keys=("GOOGLE_API_KEY", "GEMINI_API_KEY", "LANGSMITH_GATEWAY_API_KEY"),
    library="langchain_google_genai",
    extra="google",
    system=lambda sent: str(sent["systemInstruction"]),
    roles=lambda sent: [c["role"] for c in sent["contents"]],
    max_tokens=lambda sent: int(sent["generationConfig"]["maxOutputTokens"]),
    schema=lambda sent: sent["generationConfig"]["responseJsonSchema"],
)
PROVIDERS = (OPENAI, ANTHROPIC, GOOGLE)
