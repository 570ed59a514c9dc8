"""Check visibility of an issue and its tasks with one select each."""

from __future__ import annotations

import pytest
from board_env import CUSTOMER, LEAD, BoardEnv
from page_env import OTHER_CUSTOMER, recorded_statements

from guardia.board.issues import visibility
from guardia.errors import NotFound


@pytest.fixture
def numbers(env: BoardEnv) -> tuple[int, int]:
    """An issue of the customer's institution, and its task."""
    claim = env.create_parsed_task()
    return claim.sr_id, claim.task_id


def test_a_visible_issue_takes_one_select(env: BoardEnv, numbers: tuple[int, int]) -> None:
    sr_id, task_id = numbers
    for viewer in (LEAD, CUSTOMER):
        with recorded_statements(env.board) as asked:
            visibility.require_issue(env.board, viewer, sr_id)
        assert len(asked) == 1
        with recorded_statements(env.board) as asked:
            visibility.require_task(env.board, viewer, sr_id, task_id)
        assert len(asked) == 1


def test_an_invisible_issue_looks_like_a_missing_one(
    env: BoardEnv, numbers: tuple[int, int]
) -> None:
    sr_id, task_id = numbers
    for viewer, number in ((OTHER_CUSTOMER, sr_id), (LEAD, 4040)):
        with pytest.raises(NotFound) as issue:
            visibility.require_issue(env.board, viewer, number)
        with pytest.raises(NotFound) as task:
            visibility.require_task(env.board, viewer, number, task_id)
        assert issue.value.detail == task.value.detail == {"what": f"SR-{number}"}


def test_a_task_must_be_one_of_the_issue(env: BoardEnv, numbers: tuple[int, int]) -> None:
    sr_id, task_id = numbers
    other = env.create_issue()
    for number, task in ((other, task_id), (sr_id, 4040)):
        with pytest.raises(NotFound) as missing, recorded_statements(env.board) as asked:
            visibility.require_task(env.board, LEAD, number, task)
        assert missing.value.detail == {"what": f"SR-{number}/{task}"}
        assert len(asked) == 1
