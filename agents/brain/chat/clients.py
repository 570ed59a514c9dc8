"""What model servers speak: one wire for each protocol, behind one interface.

Libraries are imported when a wire is first used; those of an optional extra may be missing.
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
    """Tokens as the server counts them: whatever it said, not checked; ``None``: nothing."""

    tokens_in: object = None
    tokens_out: object = None


NO_USAGE = TokenUsage(0, 0)
UNKNOWN_USAGE = TokenUsage()


@dataclass(frozen=True, slots=True)
class ChatReply:
    """What a model said."""

    text: str
    usage: TokenUsage


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """Everything that goes over a wire, and the bounded client that carries it."""

    choice: ModelChoice
    key: SecretStr | None
    system: str
    prompt: Prompt[Any]
    client: Any
    timeout: tuple[float, float, float, float]


class ConnectionFailure(Enum):
    """What went wrong below the protocol."""

    SLOW = "slow"
    UNCONNECTED = "unconnected"


class ChatClient(Protocol):
    """One protocol."""

    @property
    def http_library(self) -> Any:
        """The library for HTTP that its own library takes clients of."""
        ...

    def invoke(self, call: ChatRequest) -> Any:
        """Send the question; the library's message."""
        ...

    def reply(self, message: Any) -> ChatReply:
        """The message's text; ``ModelError`` where it is no complete answer."""
        ...

    def classify_error(self, error: Exception) -> ConnectionFailure | int | None:
        """What an error of ``invoke`` means: an HTTP status, or ``None`` for anything else."""
        ...


def unusable_answer(place: str, usage: TokenUsage = UNKNOWN_USAGE) -> ModelError:
    """An answer came, and is not what was asked for."""
    return ModelError(why=t("brain.not_valid", place=place), answered=True, usage=usage)


def truncated_answer(usage: TokenUsage) -> ModelError:
    """The answer was longer than allowed."""
    return ModelError(why=t("brain.cut_off"), answered=True, usage=usage)


def read_usage(said: object, tokens_in: str, tokens_out: str) -> TokenUsage:
    """A usage object's two numbers."""
    if isinstance(said, Mapping):
        return TokenUsage(said.get(tokens_in), said.get(tokens_out))
    return TokenUsage(getattr(said, tokens_in, None), getattr(said, tokens_out, None))
