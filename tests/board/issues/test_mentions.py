from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia.board.issues.mentions import mentioned_agents

NAMES = (
    ("db-agent", ("db-agent", "DB 전문가", "DB 에이전트", "디비 에이전트")),
    ("db-agent-2", ("db-agent-2", "DB 에이전트 2")),
    ("dispatcher", ("dispatcher", "디스패처", "총괄", "CEO")),
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("@db-agent 확인 부탁", ["db-agent"]),
        ("@DB-Agent가 맡아 주세요", ["db-agent"]),
        ("(@총괄님, @디비 에이전트는?)", ["dispatcher", "db-agent"]),
        ("@DB에이전트 @DB 에이전트", ["db-agent"]),
        ("@DB 에이전트 2와 @CEO", ["db-agent-2", "dispatcher"]),
        ("@db-agent-2", ["db-agent-2"]),
        ("@db-agent-3 @db-agents", []),
        ("mail@db-agent, user@총괄", []),
        ("`@db-agent` ```\n@총괄\n```", []),
        ("db-agent, 총괄", []),
        ("@없는사람", []),
    ],
)
def test_mentions_in_a_comment(text: str, found: list[str]) -> None:
    assert mentioned_agents(text, NAMES) == found


@given(st.text(alphabet="@`db-agent총괄 \n2", max_size=80))
def test_any_text_mentions_only_existing_agents_each_once(text: str) -> None:
    found = mentioned_agents(text, NAMES)
    assert set(found) <= {agent for agent, _ in NAMES} and len(found) == len(set(found))


def test_without_agents_there_are_no_mentions() -> None:
    assert mentioned_agents("@db-agent", ()) == []
