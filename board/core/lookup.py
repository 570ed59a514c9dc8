"""Load issues and tasks, with or without a lock.

Rows of one table are locked in the order of their ids, in every transaction: then none of them can
wait in a circle. Tasks are locked before issues.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, bindparam, select
from sqlalchemy.orm import Session

from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.model import Issue, Task
from guardia.db.entities import Entities
from guardia.errors import NotFound

_TASK = Entities(
    Task,
    select(Task).where(Task.task_id == bindparam("task")).with_for_update(key_share=True),
)
_ISSUE = Entities(Issue, select(Issue).where(Issue.sr_id == bindparam("issue")))


def lock_task(session: Session, task_id: int) -> Task:
    """Lock and return a task. Raises `NotFound` if there is none.

    Rows that only refer to it (command output, directives) can still be written; a stronger lock
    would deadlock transactions that lock task and issue in different orders.
    """
    task = _TASK.first(session, {"task": task_id})
    if task is None:
        raise NotFound(what=f"task {task_id}")
    return task


def lock_tasks(session: Session, condition: ColumnElement[bool]) -> Sequence[Task]:
    """Lock and return the tasks that meet a condition, in the order of their ids."""
    query = select(Task).where(condition).order_by(Task.task_id)
    return session.scalars(query.with_for_update(key_share=True)).all()


def lock_issues(session: Session, numbers: Iterable[int]) -> None:
    """Lock issues in the order of their ids; call it after their tasks are locked."""
    query = select(Issue.sr_id).where(Issue.sr_id.in_(set(numbers))).order_by(Issue.sr_id)
    session.execute(query.with_for_update(key_share=True)).all()


def get_task(session: Session, task_id: int) -> Task:
    """Return a task. Raises `NotFound` if there is none."""
    task = session.get(Task, task_id)
    if task is None:
        raise NotFound(what=f"task {task_id}")
    return task


def get_issue(session: Session, sr_id: int) -> Issue:
    """Return an issue. Raises `NotFound` if there is none."""
    issue = _ISSUE.known(session, sr_id) or _ISSUE.first(session, {"issue": sr_id})
    if issue is None:
        raise NotFound(what=issue_ref(sr_id))
    # A session forgets what nothing else refers to, and would load it again.
    session.info[f"issue:{sr_id}"] = issue
    return issue
