"""An agent that people mention answers once with what is on the board, and calls nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cast import LEAD, Cast, seated
from sqlalchemy import select

from guardia.board.control import directives
from guardia.board.control.directives import Wish
from guardia.board.core.model import Comment
from guardia.board.core.run_model import Run, Wake
from guardia.board.issues import comments
from guardia.board.runs import beats, view

LEADER = f"person:{LEAD.id}"


@pytest.fixture
def cast(database: Any) -> Iterator[Cast]:
    with seated(database.app) as found:
        yield found


def answers(cast: Cast, agent: str) -> list[str]:
    with cast.desk.database.reading() as session:
        query = select(Comment.body).where(Comment.author == f"agent:{agent}")
        return list(session.scalars(query.order_by(Comment.comment_id)))


def wakes(cast: Cast) -> list[str]:
    with cast.desk.database.reading() as session:
        return list(session.scalars(select(Wake.agent_id).where(Wake.agent_id != "dispatcher")))


def test_who_does_not_work_on_it_says_how_it_stands_and_whose_it_is(cast: Cast) -> None:
    held, _, _ = cast.planned()
    for text in ("@was-agent 어떻게 되고 있나요?", "@WAS 전문가 답 주세요"):
        comments.comment(cast.desk, held.sr_id, LEADER, text)
    begun = beats.begin(cast.desk, "was-agent")
    assert begun is not None and not begun.works
    (said,) = answers(cast, "was-agent")
    for part in ("‘승인 대기’", "DB 전문가", "이 이슈를 담당하지 않습니다", "최근 진행"):
        assert part in said, part
    assert "다음 단계: 계획 승인 후 조치" in said
    assert beats.begin(cast.desk, "was-agent") is None
    with cast.desk.database.reading() as session:
        assert session.get_one(Run, begun.run_id).outcome == "answered"
    assert view.runs(cast.desk, view.Query(agent="was-agent")).rows[0].outcome == "answered"


def test_whoever_has_it_answers_unless_its_own_next_step_will(cast: Cast) -> None:
    held = cast.parsed()
    comments.comment(cast.desk, held.sr_id, LEADER, "@db-agent 서둘러 주세요")
    beats.begin(cast.desk, "db-agent")
    assert answers(cast, "db-agent") == []
    directives.give(cast.desk, LEAD, held.task_id, Wish("pause"))
    comments.comment(cast.desk, held.sr_id, LEADER, "@db-agent 왜 안 하나요?")
    beats.begin(cast.desk, "db-agent")
    (said,) = answers(cast, "db-agent")
    assert "이 에이전트가 담당하고 있습니다" in said and "일시 중지" in said


def test_agents_get_no_answer_and_an_answer_calls_nobody(cast: Cast) -> None:
    sr_id = cast.received(text="@db-agent @was-agent @보안 전문가 서로 불러요")
    comments.comment(cast.desk, sr_id, "agent:auditor", "@db-agent 보세요")
    beats.begin(cast.desk, "db-agent")
    assert answers(cast, "db-agent") == []
    comments.comment(cast.desk, sr_id, LEADER, "@sec-agent")
    for _ in range(3):
        beats.begin(cast.desk, "sec-agent")
    assert len(answers(cast, "sec-agent")) == 1 and wakes(cast) == []


def test_a_beat_that_dies_after_its_answer_does_not_answer_again(cast: Cast) -> None:
    cast.parsed()
    other = cast.received()
    comments.comment(cast.desk, other, LEADER, "@db-agent 이것도 봅니까?")
    assert beats.begin(cast.desk, "db-agent") is not None, "it works on what it holds"
    beats.tick(cast.desk, "db-agent", cast.desk.clock())
    assert beats.begin(cast.desk, "db-agent") is not None, "the run before is lost"
    assert len(answers(cast, "db-agent")) == 1
