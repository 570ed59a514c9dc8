"""Which issues a person may see."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, false, select, true
from sqlalchemy.orm import Session

from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.model import Issue, Task
from guardia.errors import NotFound
from guardia.org import identity
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo


def visible_to(viewer: PersonInfo) -> ColumnElement[bool]:
    """Return the condition for issues that a person may see: customers only see their
    institution's.
    """
    if not is_allowed(viewer, "issue.read"):
        return false()
    if viewer.role != "customer":
        return true()
    return Issue.inst_id == viewer.institution if viewer.institution else false()


def institution_scope(viewer: PersonInfo) -> str | None:
    """Return `visible_to` for sums by institution: `*` for all, or `None` for none."""
    if not is_allowed(viewer, "issue.read"):
        return None
    return (viewer.institution or None) if viewer.role == "customer" else "*"


def find_issue(session: Session, viewer: PersonInfo, sr_id: int) -> Issue:
    """Return an issue. Raises `NotFound` if there is none for this viewer."""
    found = session.scalar(select(Issue).where(Issue.sr_id == sr_id, visible_to(viewer)))
    if found is None:
        raise NotFound(what=issue_ref(sr_id))
    return found


def is_requester(session: Session, person: PersonInfo, issue: Issue) -> bool:
    """Return whether a person requested an issue, under any of their accounts."""
    if issue.requester_id is None:
        return False
    humans = identity.accounts_of_same_people(session, {issue.requester_id})
    return person.id == issue.requester_id or person.id in humans


def find_task(session: Session, viewer: PersonInfo, sr_id: int, task_id: int) -> Task | None:
    """Return a task of an issue. Raises `NotFound` if there is no such issue for this viewer."""
    # One select for both: the issue's row comes back without a task if the task is not its own.
    found = session.execute(
        select(Issue.sr_id, Task)
        .outerjoin(Task, and_(Task.sr_id == Issue.sr_id, Task.task_id == task_id))
        .where(Issue.sr_id == sr_id, visible_to(viewer))
    ).one_or_none()
    if found is None:
        raise NotFound(what=issue_ref(sr_id))
    task: Task | None = found[1]
    return task


def require_issue(board: BoardContext, viewer: PersonInfo, sr_id: int) -> None:
    """Raise `NotFound` unless the issue exists for this viewer."""
    with board.database.reading() as session:
        find_issue(session, viewer, sr_id)


def require_task(board: BoardContext, viewer: PersonInfo, sr_id: int, task_id: int) -> None:
    """Raise `NotFound` unless the task is one of an issue that exists for this viewer."""
    with board.database.reading() as session:
        if find_task(session, viewer, sr_id, task_id) is None:
            raise NotFound(what=f"{issue_ref(sr_id)}/{task_id}")


def institution_of(board: BoardContext, sr_id: int) -> str | None:
    """Return the institution of an issue, or `None` as long as it is unknown."""
    with board.database.reading() as session:
        return session.scalar(select(Issue.inst_id).where(Issue.sr_id == sr_id))
