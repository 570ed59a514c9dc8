"""A chat-model brain to be tested: what it is asked, and how it falls back."""

from __future__ import annotations

from typing import Any

from model_server import MODEL, ModelServer
from pydantic import SecretStr

from guardia.agents.brain.breaker import Breaker
from guardia.agents.brain.chat import ChatBrain
from guardia.agents.brain.embedded import EmbeddedBrain
from guardia.agents.brain.thought import Thought
from guardia.org.chart import BrainChoice
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


def brain(
    server: ModelServer | str,
    *,
    timeout: float = 5.0,
    key: str | None = None,
    role: str | None = None,
    breaker: Breaker | None = None,
) -> ChatBrain:
    """A brain that asks ``server``, with a breaker of its own."""
    url = server if isinstance(server, str) else server.url
    return ChatBrain(
        BrainChoice(kind="chat", base_url=url, model=MODEL, timeout=timeout),
        EmbeddedBrain(),
        role,
        key=SecretStr(key) if key else None,
        breaker=breaker or Breaker(),
    )


def fell_back(thought: Thought[Any], because: str) -> None:
    """The embedded brain answered, just as it does alone, and the thought says why."""
    assert thought.by == "embedded"
    assert thought.answer == EmbeddedBrain().triage(TEXT, DIRECTORY).answer
    assert "내장 두뇌가 대신 판단했습니다" in thought.remark
    assert MODEL in thought.remark
    assert because in thought.remark
