"""Interface of the clients for model servers: one client per protocol.

Libraries are imported on first use; those of an optional extra may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from pydantic import SecretStr

from guardia.agents.brain.chat.prompts import Prompt
from guardia.errors import ModelError
from guardia.i18n import t
from guardia.org.brains import ModelChoice


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Token counts as reported by the server, unchecked; `None` if not reported."""

    tokens_in: object = None
    tokens_out: object = None


NO_USAGE = TokenUsage(0, 0)
UNKNOWN_USAGE = TokenUsage()


@dataclass(frozen=True, slots=True)
class ChatReply:
    """The text of a model's answer, with its usage."""

    text: str
    usage: TokenUsage


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """Everything that is sent, and the bounded HTTP client that sends it."""

    choice: ModelChoice
    key: SecretStr | None
    system: str
    prompt: Prompt[Any]
    client: Any
    timeout: tuple[float, float, float, float]


class ConnectionFailure(Enum):
    """A failure below the protocol."""

    SLOW = "slow"
    UNCONNECTED = "unconnected"


class ChatClient(Protocol):
    """Client of one protocol."""

    @property
    def http_library(self) -> Any:
        """The HTTP library whose clients its own library accepts."""
        ...

    def invoke(self, call: ChatRequest) -> Any:
        """Send the prompt. Returns the library's message."""
        ...

    def reply(self, message: Any) -> ChatReply:
        """Return the message's text. Raises `ModelError` if it is not a complete answer."""
        ...

    def classify_error(self, error: Exception) -> ConnectionFailure | int | None:
        """Return the failure or HTTP status behind an error of `invoke`, or `None`."""
        ...


def unusable_answer(place: str, usage: TokenUsage = UNKNOWN_USAGE) -> ModelError:
    """Build the error for an answer that is not what was asked for."""
    return ModelError(why=t("brain.not_valid", place=place), answered=True, usage=usage)


def truncated_answer(usage: TokenUsage) -> ModelError:
    """Build the error for an answer that was cut off at the token limit."""
    return ModelError(why=t("brain.cut_off"), answered=True, usage=usage)


def read_usage(usage: object, tokens_in: str, tokens_out: str) -> TokenUsage:
    """Read the two counts of a usage object."""
    if isinstance(usage, Mapping):
        return TokenUsage(usage.get(tokens_in), usage.get(tokens_out))
    return TokenUsage(getattr(usage, tokens_in, None), getattr(usage, tokens_out, None))
