"""Read access to goals: the list, and one goal with its plan, hires and issues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.display_names import agent_name, display_names_of, person_name
from guardia.board.core.form_guard import FormGuard
from guardia.board.core.goal_lifecycle import OPEN_GOAL_STATES, GoalProgress, GoalState
from guardia.board.core.goal_model import Goal
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.keyset import Keyset, read_slice
from guardia.board.core.model import Issue
from guardia.board.goals import plan_changes, review
from guardia.board.goals.model import GoalPart
from guardia.board.goals.plan_changes import GoalPlanChanges
from guardia.board.hiring import view
from guardia.board.hiring.model import HireRequest
from guardia.board.hiring.view import HireView
from guardia.board.issues import view as issue_view
from guardia.board.issues.view import CommentView, NewestComments
from guardia.board.tracker import relations
from guardia.board.tracker.relations import RelatedIssues
from guardia.errors import NotFound
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import Server

_MAX_CHOICES = 200

PLAN_FORM = "goal-plan"
_JUST_OPENED = FormGuard({})
_PAGE_SIZE = 25
_OPEN = sorted(s.value for s in OPEN_GOAL_STATES)


@dataclass(frozen=True, slots=True)
class GoalRow:
    """A goal in the list."""

    sr_id: int
    title: str
    state: GoalState
    stuck: bool
    due_on: date | None
    giver: str
    progress: GoalProgress
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class GoalList:
    """One page of the goals, newest first."""

    rows: tuple[GoalRow, ...]
    older: int | None
    """Cursor for `before`; `None` on the last page."""
    position: int


@dataclass(frozen=True, slots=True)
class GoalPartView:
    """A part of a plan."""

    ordinal: int
    piece: int
    text: str
    kind: str
    category: str
    priority: str
    server: str | None
    guessed: bool
    choices: tuple[str, ...]
    """The servers that a person may choose instead of a guessed one."""
    action_type: str | None
    agent: str | None
    engineer: str | None
    due_on: date | None
    reasons: tuple[str, ...]
    question: str
    state: str
    hire_id: int | None
    child_id: int | None


@dataclass(frozen=True, slots=True)
class GoalPage:
    """A goal with everything that its page shows."""

    sr_id: int
    title: str
    body: str
    state: GoalState
    stuck: bool
    due_on: date | None
    giver: str
    agent: str | None
    thought_by: str
    plan_hash: str | None
    end_reason: str
    created_at: datetime
    parts: tuple[GoalPartView, ...]
    hires: tuple[HireView, ...]
    children: RelatedIssues
    progress: GoalProgress
    comments: NewestComments
    position: int
    names: dict[str, str]
    fence: int
    """Raised whenever the goal is planned or decided: what a form with answers is bound to."""
    changes: GoalPlanChanges | None = None
    """What replaced the plan that the viewer's form was opened with."""


def list_goals(
    board: BoardContext, viewer: PersonInfo, *, closed: bool = False, before: int | None = None
) -> GoalList:
    """Return one page of the open or the closed goals with their progress, in three queries."""
    require_permission(viewer, "goal.read")
    query = (
        select(Issue, Goal)
        .join(Goal, Goal.sr_id == Issue.sr_id)
        .where(Goal.state.not_in(_OPEN) if closed else Goal.state.in_(_OPEN))
    )
    page = Keyset(before=before, size=_PAGE_SIZE)
    with board.database.reading() as session:
        found = read_slice(session, query, Goal.sr_id, page, key=lambda row: row[1].sr_id)
        progress = review.count_progress(session, [goal.sr_id for _, goal in found.rows])
        rows = tuple(_row(issue, goal, progress[goal.sr_id]) for issue, goal in found.rows)
        return GoalList(rows, found.older, log.snapshot_size(session))


def _row(issue: Issue, goal: Goal, progress: GoalProgress) -> GoalRow:
    state = GoalState(goal.state)
    return GoalRow(
        issue.sr_id,
        issue.title,
        state,
        _is_stuck(goal, progress),
        goal.due_on,
        issue.requester_name,
        progress,
        issue.updated_at,
    )


def _is_stuck(goal: Goal, progress: GoalProgress) -> bool:
    ended = goal.state == GoalState.ACTIVE and progress.total > 0 and not progress.open
    return ended and progress.failed > 0


def get_goal(
    board: BoardContext, viewer: PersonInfo, sr_id: int, guard: FormGuard = _JUST_OPENED
) -> GoalPage:
    """Return a goal. Raises `NotFound` if it does not exist."""
    require_permission(viewer, "goal.read")
    with board.database.reading() as session:
        goal, issue = session.get(Goal, sr_id), session.get(Issue, sr_id)
        if goal is None or issue is None:
            raise NotFound(what=issue_ref(sr_id))
        progress = review.count_progress(session, [sr_id])[sr_id]
        parts = session.scalars(
            select(GoalPart).where(GoalPart.sr_id == sr_id).order_by(GoalPart.ordinal)
        ).all()
        hires, comments = (
            _hires(session, sr_id, parts),
            issue_view.newest_comments(session, sr_id),
        )
        names = _names(session, goal, parts, hires, comments.newest)
        return GoalPage(
            sr_id=sr_id,
            title=issue.title,
            body=issue.body,
            state=GoalState(goal.state),
            stuck=_is_stuck(goal, progress),
            due_on=goal.due_on,
            giver=issue.requester_name,
            agent=agent_name(names, goal.agent_id),
            thought_by=goal.thought_by,
            plan_hash=goal.plan_hash,
            end_reason=goal.end_reason,
            created_at=issue.created_at,
            parts=tuple(_part_view(session, row, names) for row in parts),
            hires=view.hire_views(session, hires, names, board.clock()),
            children=relations.children(session, viewer, sr_id),
            progress=progress,
            comments=comments,
            position=log.snapshot_size(session),
            names=names,
            fence=goal.fence,
            changes=_changes(session, goal, guard),
        )


def _choices(session: Session, row: GoalPart) -> tuple[str, ...]:
    if not row.guessed:
        return ()
    owner = select(Server.inst_id).where(Server.server_id == row.server).scalar_subquery()
    return tuple(
        session.scalars(
            select(Server.server_id)
            .where(Server.inst_id == func.coalesce(row.institution, owner))
            .order_by(Server.server_id)
            .limit(_MAX_CHOICES)
        )
    )


def _changes(session: Session, goal: Goal, guard: FormGuard) -> GoalPlanChanges | None:
    form = guard.form(PLAN_FORM, goal.plan_hash or "")
    earlier = form.shown if form.is_stale else form.since
    if not earlier or goal.plan_hash is None:
        return None
    return plan_changes.goal_plan_changes(session, goal.sr_id, earlier, goal.plan_hash)


def _part_view(session: Session, row: GoalPart, names: dict[str, str]) -> GoalPartView:
    return GoalPartView(
        ordinal=row.ordinal,
        piece=row.piece,
        text=row.text,
        kind=row.kind,
        category=row.category,
        priority=row.priority,
        server=row.server,
        guessed=row.guessed,
        choices=_choices(session, row),
        action_type=row.action_type,
        agent=agent_name(names, row.agent_id),
        engineer=person_name(names, row.engineer_id),
        due_on=row.due_on,
        reasons=tuple(row.reasons),
        question=row.question,
        state=row.state,
        hire_id=row.hire_id,
        child_id=row.child_id,
    )


def _hires(session: Session, sr_id: int, parts: Sequence[GoalPart]) -> Sequence[HireRequest]:
    """Return the goal's hire requests, and those of other goals that its parts wait for."""
    awaited = [p.hire_id for p in parts if p.hire_id]
    query = select(HireRequest).where(
        (HireRequest.sr_id == sr_id) | HireRequest.hire_id.in_(awaited)
    )
    return session.scalars(query.order_by(HireRequest.hire_id)).all()


def _names(
    session: Session,
    goal: Goal,
    parts: Sequence[GoalPart],
    hires: Sequence[HireRequest],
    comments: Sequence[CommentView],
) -> dict[str, str]:
    people = [goal.given_by, *(p.engineer_id for p in parts), *(h.decided_by for h in hires)]
    agents = [goal.agent_id, *(p.agent_id for p in parts), *(h.reports_to for h in hires)]
    return display_names_of(
        session,
        [
            *(str(Actor.person(p)) for p in people if p),
            *(str(Actor.agent(a)) for a in agents if a),
            *(h.requested_by for h in hires),
            *(comment.author for comment in comments),
        ],
    )
