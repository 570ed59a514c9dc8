"""Sub-issues: link, unlink and order them. Parts of a goal belong to its plan and stay there."""

from __future__ import annotations

from datetime import date
from typing import Literal

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.lookup import lock_issues
from guardia.board.core.model import Issue
from guardia.board.issues import changing, visibility
from guardia.board.issues.receiving import NewIssue, receive_issue
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, Missing, NotFound, Refused
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.text import trim

ACTION = "issue.organize"
MOST = 100
"""Sub-issues of one issue."""
_DEPTH = 8


@repeat_on_conflict
def set_parent(board: BoardContext, person: PersonInfo, sr_id: int, parent: int | None) -> None:
    """Make an issue a sub-issue of another one, or (`None`) of none.

    Raises `NotFound` if the person may not see both, `Refused` for a circle and parts of goals.
    """
    now = board.clock()
    with board.database.transaction() as session:
        if parent is not None:
            visibility.find_issue(session, person, parent)
        visibility.find_issue(session, person, sr_id)
        lock_issues(session, [n for n in (sr_id, parent) if n is not None])
        issue = changing.lock_for(session, person, sr_id, ACTION)
        if issue.parent_id == parent:
            return
        _require_free_of_goals(issue)
        if parent is not None:
            _require_room(session, issue, visibility.find_issue(session, person, parent))
        before, issue.parent_id, issue.sub_order = issue.parent_id, parent, None
        issue.updated_at = now
        session.flush()
        detail = {"before": before, "parent": parent}
        word = issue_ref(parent) if parent is not None else "-"
        changing.record(session, EntryKind.PARENT_SET, person, now, sr_id, detail, parent=word)


def _require_free_of_goals(issue: Issue) -> None:
    if issue.kind == "GOAL" or issue.goal_id is not None:
        raise Refused(why=t("issue.part_of_goal"))


def _require_room(session: Session, issue: Issue, parent: Issue) -> None:
    """Raise `Refused` if the parent is below the issue itself, too deep, or has enough already."""
    if parent.kind == "GOAL" or parent.goal_id is not None:
        raise Refused(why=t("issue.part_of_goal"))
    if parent.inst_id != issue.inst_id:
        raise Refused(why=t("issue.other_institution"))
    if issue.sr_id in _require_depth_and_room(session, parent):
        raise Refused(why=t("issue.circle"))


def _require_depth_and_room(session: Session, parent: Issue) -> set[int]:
    """Return the parent and all above it. Raises `Refused` if it may have no further sub-issue."""
    above: set[int] = set()
    at: int | None = parent.sr_id
    while at is not None:
        above.add(at)
        if len(above) > _DEPTH:
            raise Refused(why=t("issue.too_deep", most=_DEPTH))
        at = session.scalar(select(Issue.parent_id).where(Issue.sr_id == at))
    count = session.scalar(select(func.count()).where(Issue.parent_id == parent.sr_id)) or 0
    if count >= MOST:
        raise Refused(why=t("issue.too_many_children", most=MOST))
    return above


@repeat_on_conflict
def move_child(
    board: BoardContext,
    person: PersonInfo,
    sr_id: int,
    child: int,
    direction: Literal["up", "down"],
) -> None:
    """Move a sub-issue one place up or down among its siblings."""
    now = board.clock()
    with board.database.transaction() as session:
        issue = changing.lock_for(session, person, sr_id, ACTION)
        rows = list(session.scalars(_children(sr_id).with_for_update(key_share=True)))
        order = [row.sr_id for row in rows]
        if child not in order:
            raise NotFound(what=issue_ref(child))
        at = order.index(child)
        to = at + (1 if direction == "down" else -1)
        if not 0 <= to < len(order):
            return
        rows[at], rows[to] = rows[to], rows[at]
        for number, row in enumerate(rows):
            row.sub_order = number
        issue.updated_at = now
        session.flush()
        detail = {"order": [row.sr_id for row in rows]}
        words: dict[str, str | int] = {"child": issue_ref(child), "place": to + 1}
        changing.record(session, EntryKind.CHILD_MOVED, person, now, sr_id, detail, **words)


def open_child(board: BoardContext, person: PersonInfo, sr_id: int, title: str) -> int:
    """Open a sub-issue with a title; return its number. Raises like `set_parent`."""
    require_permission(person, "issue.create")
    if not trim(title):
        raise Missing(what=t("web.form.title"), field="title")
    with board.database.reading() as session:
        parent = visibility.find_issue(session, person, sr_id)
        require_permission(person, ACTION, institution=parent.inst_id)
        _require_free_of_goals(parent)
        _require_depth_and_room(session, parent)
        home = parent.inst_id
    new = NewIssue(
        text=title,
        title=title,
        channel="web",
        sender=Actor.of(person).label,
        requester_id=person.id,
        institution=home,
        parent_id=sr_id,
    )
    return receive_issue(board, new)


def _children(sr_id: int) -> Select[Issue]:
    in_order = (Issue.sub_order.nulls_last(), Issue.sr_id)
    return select(Issue).where(Issue.parent_id == sr_id).order_by(*in_order)


@repeat_on_conflict
def set_due(board: BoardContext, person: PersonInfo, sr_id: int, due: date | None) -> None:
    """Set the day until which an issue should be done, or remove it."""
    now = board.clock()
    with board.database.transaction() as session:
        issue = changing.lock_for(session, person, sr_id, ACTION)
        if issue.due_on == due:
            return
        if issue.kind == "GOAL":
            raise Refused(why=t("issue.part_of_goal"))
        if due is not None and not 2000 <= due.year <= 2100:
            raise Invalid(what=t("goals.page.due"), why=t("issue.due_form"), field="due")
        before, issue.due_on, issue.updated_at = issue.due_on, due, now
        session.flush()
        detail = {"before": before and before.isoformat(), "due": due and due.isoformat()}
        word = due.isoformat() if due else "-"
        changing.record(session, EntryKind.DUE_SET, person, now, sr_id, detail, due=word)
