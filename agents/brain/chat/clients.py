"""What model servers speak: one wire for each protocol, behind one interface.

Libraries are imported when a wire is first used; those of an optional extra may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from pydantic import SecretStr

from guardia.agents.brain.chat.prompts import Question
from guardia.errors import ModelError
from guardia.i18n import t
from guardia.org.brains import ModelChoice


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the server counts them: whatever it said, not checked; ``None``: nothing."""

    tokens_in: object = None
    tokens_out: object = None


NOTHING = Usage(0, 0)
UNKNOWN = Usage()


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said."""

    text: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class Call:
    """Everything that goes over a wire, and the bounded client that carries it."""

    choice: ModelChoice
    key: SecretStr | None
    system: str
    question: Question[Any]
    client: Any
    timeout: tuple[float, float, float, float]


class Trouble(Enum):
    """What went wrong below the protocol."""

    SLOW = "slow"
    UNCONNECTED = "unconnected"


class Wire(Protocol):
    """One protocol."""

    @property
    def http(self) -> Any:
        """The library for HTTP that its own library takes clients of."""
        ...

    def invoke(self, call: Call) -> Any:
        """Send the question; the library's message."""
        ...

    def reply(self, message: Any) -> Reply:
        """The message's text; ``ModelError`` where it is no complete answer."""
        ...

    def trouble(self, error: Exception) -> Trouble | int | None:
        """What an error of ``invoke`` means: an HTTP status, or ``None`` for anything else."""
        ...


def unusable(place: str, usage: Usage = UNKNOWN) -> ModelError:
    """An answer came, and is not what was asked for."""
    return ModelError(why=t("brain.not_valid", place=place), answered=True, usage=usage)


def cut_off(usage: Usage) -> ModelError:
    """The answer was longer than allowed."""
    return ModelError(why=t("brain.cut_off"), answered=True, usage=usage)


def counted(said: object, tokens_in: str, tokens_out: str) -> Usage:
    """A usage object's two numbers."""
    if isinstance(said, Mapping):
        return Usage(said.get(tokens_in), said.get(tokens_out))
    return Usage(getattr(said, tokens_in, None), getattr(said, tokens_out, None))
