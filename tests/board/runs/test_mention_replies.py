"""A mentioned agent replies once with the state of the issue, and wakes no agents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from board_env import LEAD, BoardEnv, seeded_env
from sqlalchemy import select

from guardia.board.control import directives
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core.actors import Actor
from guardia.board.core.model import Comment
from guardia.board.core.run_model import Run, Wake
from guardia.board.issues import comments
from guardia.board.runs import beats, ticks, view

LEADER = Actor.of(LEAD)


@pytest.fixture
def env(database: Any) -> Iterator[BoardEnv]:
    with seeded_env(database.app) as found:
        yield found


def answers(env: BoardEnv, agent: str) -> list[str]:
    with env.board.database.reading() as session:
        query = select(Comment.body).where(Comment.author == f"agent:{agent}")
        return list(session.scalars(query.order_by(Comment.comment_id)))


def wakes(env: BoardEnv) -> list[str]:
    with env.board.database.reading() as session:
        return list(session.scalars(select(Wake.agent_id).where(Wake.agent_id != "dispatcher")))


def test_an_uninvolved_agent_replies_with_state_and_owner(env: BoardEnv) -> None:
    held, _, _ = env.create_filed_plan()
    for text in ("@was-agent 어떻게 되고 있나요?", "@WAS 전문가 답 주세요"):
        comments.add_comment(env.board, held.sr_id, LEADER, text)
    begun = beats.begin(env.board, "was-agent")
    assert begun is not None and not begun.has_work
    (said,) = answers(env, "was-agent")
    for part in ("‘승인 대기’", "DB 전문가", "이 이슈를 담당하지 않습니다", "최근 진행"):
        assert part in said, part
    assert "다음 단계: 계획 승인 후 조치" in said
    assert beats.begin(env.board, "was-agent") is None
    with env.board.database.reading() as session:
        assert session.get_one(Run, begun.run_id).outcome == "answered"
    assert view.list_runs(env.board, view.RunQuery(agent="was-agent")).rows[0].outcome == "answered"


def test_the_assigned_agent_replies_unless_its_next_step_will(env: BoardEnv) -> None:
    held = env.create_parsed_task()
    comments.add_comment(env.board, held.sr_id, LEADER, "@db-agent 서둘러 주세요")
    beats.begin(env.board, "db-agent")
    assert answers(env, "db-agent") == []
    directives.issue_directive(env.board, LEAD, held.task_id, DirectiveRequest("pause"))
    comments.add_comment(env.board, held.sr_id, LEADER, "@db-agent 왜 안 하나요?")
    beats.begin(env.board, "db-agent")
    (said,) = answers(env, "db-agent")
    assert "이 에이전트가 담당하고 있습니다" in said and "일시 중지" in said


def test_agents_get_no_reply_and_a_reply_wakes_no_agent(env: BoardEnv) -> None:
    sr_id = env.create_issue(text="@db-agent @was-agent @보안 전문가 서로 불러요")
    comments.add_comment(env.board, sr_id, Actor.agent("auditor"), "@db-agent 보세요")
    beats.begin(env.board, "db-agent")
    assert answers(env, "db-agent") == []
    comments.add_comment(env.board, sr_id, LEADER, "@sec-agent")
    for _ in range(3):
        beats.begin(env.board, "sec-agent")
    assert len(answers(env, "sec-agent")) == 1 and wakes(env) == []


def test_a_beat_that_dies_after_its_reply_does_not_reply_again(env: BoardEnv) -> None:
    env.create_parsed_task()
    other = env.create_issue()
    comments.add_comment(env.board, other, LEADER, "@db-agent 이것도 봅니까?")
    assert beats.begin(env.board, "db-agent") is not None, "it works on what it holds"
    ticks.tick(env.board, "db-agent", env.board.clock())
    assert beats.begin(env.board, "db-agent") is not None, "the run before is lost"
    assert len(answers(env, "db-agent")) == 1
