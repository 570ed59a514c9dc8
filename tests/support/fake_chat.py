"""A chat-model brain under test: what it is asked, and how it falls back."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import Any

from model_server import MODEL, ModelServer
from pydantic import SecretStr
from waiting import PATIENCE

from guardia.agents.brain.chat.brain import ChatBrain
from guardia.agents.brain.chat.breaker import CircuitBreaker
from guardia.agents.brain.embedded import EmbeddedBrain
from guardia.agents.brain.protocol import BrainResult
from guardia.board.costs.budget_accounts import BudgetRefusal
from guardia.board.costs.metering import ModelCallRequest, ModelCallResult
from guardia.errors import Exhausted
from guardia.org.brains import BrainChoice, ModelChoice
from guardia.org.directory import Directory, Host, InstitutionInfo

TEXT = "기재부 운영DB 쿼리가 너무 느려요"
DIRECTORY = Directory(
    institutions=(InstitutionInfo(id="MOF", name="기획재정부", aliases=("기재부",)),),
    servers=(
        Host(server_id="MOF-DB-01", institution="MOF", kind="DB", aliases=("기재부 운영DB",)),
        Host(server_id="MOF-WAS-01", institution="MOF", kind="WAS", aliases=("기재부 와스",)),
    ),
)
GOOD_ANSWER = {
    "reasons": ["'쿼리가 느려요'라고 하여 DB 장애로 보았습니다."],
    "kind": "INCIDENT",
    "category": "DB",
    "priority": "P2",
    "servers": ["MOF-DB-01"],
    "action_type": "NONE",
    "institution": "MOF",
}


@dataclass
class RecordingMeter:
    """A meter that records its calls; `refuse` rejects calls from then on."""

    reserved: list[ModelCallRequest] = field(default_factory=list)
    settled: list[ModelCallResult] = field(default_factory=list)
    refuse: BudgetRefusal | None = None

    def reserve(self, request: ModelCallRequest) -> int | BudgetRefusal:
        """Permit the call unless `refuse` is set."""
        if self.refuse is not None:
            return self.refuse
        self.reserved.append(request)
        return len(self.reserved)

    def settle(self, call: int, result: ModelCallResult) -> None:
        """Record the result; calls of one thread are settled in order."""
        self.settled.append(result)

    def pause_agent(self, refused: BudgetRefusal) -> None:
        """Raise as the real meter does."""
        raise Exhausted(what="agent")


def chat_brain(
    server: ModelServer | str,
    *,
    timeout: float = PATIENCE,
    key: str | None = None,
    role: str | None = None,
    breaker: CircuitBreaker | None = None,
    meter: RecordingMeter | None = None,
) -> ChatBrain:
    """Return a brain that calls `server`, with a circuit breaker of its own."""
    url = server if isinstance(server, str) else server.url
    own = breaker or CircuitBreaker()
    keys = {"key": lambda _: SecretStr(key)} if key else {}
    return ChatBrain(
        BrainChoice(kind="chat", base_url=url, model=MODEL, timeout=timeout, cold_timeout=timeout),
        EmbeddedBrain(),
        role,
        meter=meter or RecordingMeter(),
        breaker=lambda _: own,
        **keys,
    )


def chat_brain_chain(
    *models: ModelChoice, meter: RecordingMeter | None = None, limit: float = 2 * PATIENCE
) -> ChatBrain:
    """Return a brain with several models, each server with a circuit breaker of its own."""
    breakers = {choice: CircuitBreaker() for choice in models}
    return ChatBrain(
        BrainChoice(kind="chat", models=models, limit=limit),
        EmbeddedBrain(),
        meter=meter or RecordingMeter(),
        breaker=breakers.__getitem__,
    )


def closed_port() -> int:
    """Return a port without a listener."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def assert_fell_back(result: BrainResult[Any], because: str, model: str = MODEL) -> None:
    """Assert that the embedded brain answered as it would alone, and gave the reason."""
    assert result.by == "embedded"
    assert result.answer == EmbeddedBrain().triage(TEXT, DIRECTORY).answer
    assert "내장 규칙으로 판단했습니다" in result.caveat
    assert model in result.caveat
    assert because in result.caveat
