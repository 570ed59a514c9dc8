"""A chat-model brain to be tested: what it is asked, and how it falls back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from model_server import MODEL, ModelServer
from pydantic import SecretStr

from guardia.agents.brain.chat.brain import ChatBrain
from guardia.agents.brain.chat.breaker import Breaker
from guardia.agents.brain.embedded import EmbeddedBrain
from guardia.agents.brain.protocol import Thought
from guardia.board.costs.budget_accounts import Refusal
from guardia.board.costs.metering import Bid, Ended
from guardia.errors import Exhausted
from guardia.org.brains import BrainChoice, ModelChoice
from guardia.org.directory import Directory, Host, InstitutionName

TEXT = "기재부 운영DB 쿼리가 너무 느려요"
DIRECTORY = Directory(
    institutions=(InstitutionName(id="MOF", name="기획재정부", aliases=("기재부",)),),
    servers=(
        Host(server_id="MOF-DB-01", institution="MOF", kind="DB", aliases=("기재부 운영DB",)),
        Host(server_id="MOF-WAS-01", institution="MOF", kind="WAS", aliases=("기재부 와스",)),
    ),
)
GOOD = {
    "reasons": ["'쿼리가 느려요'라고 하여 DB 장애로 보았습니다."],
    "kind": "INCIDENT",
    "category": "DB",
    "priority": "P2",
    "servers": ["MOF-DB-01"],
    "action_type": "NONE",
    "institution": "MOF",
}


@dataclass
class Ledger:
    """A meter that notes what it is told; ``refuse`` says no from now on."""

    bids: list[Bid] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    refuse: Refusal | None = None

    def reserve(self, bid: Bid) -> int | Refusal:
        """Permit, unless told otherwise."""
        if self.refuse is not None:
            return self.refuse
        self.bids.append(bid)
        return len(self.bids)

    def settle(self, call: int, ended: Ended) -> None:
        """Calls of one thread are settled in order."""
        self.ended.append(ended)

    def rest(self, refused: Refusal) -> None:
        """As the desk's own does."""
        raise Exhausted(what="agent")


def brain(
    server: ModelServer | str,
    *,
    timeout: float = 5.0,
    key: str | None = None,
    role: str | None = None,
    breaker: Breaker | None = None,
    ledger: Ledger | None = None,
) -> ChatBrain:
    """A brain that asks ``server``, with a breaker of its own."""
    url = server if isinstance(server, str) else server.url
    own = breaker or Breaker()
    keys = {"key": lambda _: SecretStr(key)} if key else {}
    return ChatBrain(
        BrainChoice(kind="chat", base_url=url, model=MODEL, timeout=timeout),
        EmbeddedBrain(),
        role,
        meter=ledger or Ledger(),
        breaker=lambda _: own,
        **keys,
    )


def chain(*models: ModelChoice, ledger: Ledger | None = None, limit: float = 30.0) -> ChatBrain:
    """A brain with a list of models, whose servers each have a breaker of their own."""
    breakers = {choice: Breaker() for choice in models}
    return ChatBrain(
        BrainChoice(kind="chat", models=models, limit=limit),
        EmbeddedBrain(),
        meter=ledger or Ledger(),
        breaker=breakers.__getitem__,
    )


def fell_back(thought: Thought[Any], because: str) -> None:
    """The embedded brain answered, just as it does alone, and the thought says why."""
    assert thought.by == "embedded"
    assert thought.answer == EmbeddedBrain().triage(TEXT, DIRECTORY).answer
    assert "내장 규칙으로 판단했습니다" in thought.remark
    assert MODEL in thought.remark
    assert because in thought.remark
