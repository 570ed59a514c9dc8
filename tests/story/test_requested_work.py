"""Work that people order with a command, end to end on the practice fleet."""

from __future__ import annotations

import pytest
from full_stack import FullStack
from sqlalchemy import select

from guardia.board.approvals import pending
from guardia.board.control import requested_work
from guardia.board.control.requested_work import WorkOrigin
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Comment, Issue

pytestmark = pytest.mark.slow

SERVER = "MOF-WAS-01"


def order(stack: FullStack, action_type: str, words: str, server: str = SERVER) -> int:
    """Order work as an engineer and let the agents work; return the issue's number."""
    origin = WorkOrigin("console", f"command:{action_type}", words)
    person = stack.person("engineer")
    sr_id = requested_work.request_work(stack.board, person, server, action_type, origin)
    stack.work()
    return sr_id


def comments(stack: FullStack, sr_id: int) -> str:
    """Return all that was written on an issue."""
    query = select(Comment.body).where(Comment.sr_id == sr_id).order_by(Comment.comment_id)
    with stack.board.database.reading() as session:
        return "\n".join(session.scalars(query))


@pytest.mark.parametrize(
    ("action_type", "server", "answer"),
    [
        ("HEALTH_CHECK", SERVER, "정상입니다. 버전"),
        ("LOG_ANALYSIS", SERVER, "최근 로그"),
        ("CERT_CHECK", "MOE-WEB-01", "까지 유효합니다"),
    ],
)
def test_a_read_is_answered_and_completed(
    stack: FullStack, action_type: str, server: str, answer: str
) -> None:
    """As the first work of an installation, when no checkpoint exists yet."""
    sr_id = order(stack, action_type, "확인해줘", server)
    assert (stack.state(sr_id), stack.changes(sr_id)) == (State.COMPLETED, [])
    assert answer in comments(stack, sr_id)


def test_a_restart_of_what_works_is_planned_approved_and_done(stack: FullStack) -> None:
    sr_id = order(stack, "RESTART", "재시작해")
    [waiting] = pending.pending_plans(stack.board, sr_id)
    assert "재기동 요청에 따라" in waiting.plan.because
    stack.decide(sr_id)
    stack.work()
    assert stack.state(sr_id) is State.COMPLETED and stack.changes(sr_id)


def test_a_deployment_is_of_the_version_that_was_named(stack: FullStack) -> None:
    sr_id = order(stack, "DEPLOY", "오늘 밤에 3.1.1 배포해")
    assert "배포할 버전을 알려 주세요" not in comments(stack, sr_id)
    with stack.board.database.reading() as session:
        assert "3.1.1" in session.get_one(Issue, sr_id).title
