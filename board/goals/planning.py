"""Goals and their plans: a person files a goal, the head agent breaks it down into issues.

A goal is an issue without tasks; the row in `tb_goal` determines its state. Decisions of people are
in `decisions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from textwrap import shorten
from typing import Any

from pydantic.dataclasses import dataclass as pydantic_dataclass
from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.canonical import digest
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.claims import GoalClaim, claimed_goal
from guardia.board.core.context import BoardContext
from guardia.board.core.goal_lifecycle import ISSUE_STATE_OF, GoalMove, GoalState, next_goal_state
from guardia.board.core.goal_model import Goal
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.kill_switch import kill_switch_is_on
from guardia.board.core.lifecycle import ActorKind
from guardia.board.core.lookup import get_issue
from guardia.board.core.model import Issue
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import wake
from guardia.board.goals.model import GoalPart
from guardia.board.hiring import requests
from guardia.board.hiring.requests import Opening
from guardia.board.issues import comments, receiving
from guardia.board.runs.beats import RunContext, is_active
from guardia.db.engine import repeat_on_conflict
from guardia.errors import IllegalMove, Invalid, Missing, NotFound, Stale
from guardia.i18n import t
from guardia.org import registry, revisions
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.text import CleanStr, first_line, trim

KIND = "GOAL"
MAX_PARTS = 60
_MAX_TITLE = 80
_MAX_TEXT = 10_000
_MAX_PART = 1_000


@dataclass(frozen=True, slots=True)
class GoalBrief:
    """The goal that an agent breaks down."""

    text: str
    pieces: tuple[dict[str, Any], ...]
    """Pieces of the previous breakdown, as people have reworded them; empty the first time."""
    today: date
    """In the company's time zone."""


@pydantic_dataclass(frozen=True, slots=True)
class GoalPartDraft:
    """One issue of a plan, or a question about it. Its texts are cleaned, because it is hashed."""

    piece: int
    text: CleanStr
    kind: str
    category: str
    priority: str
    institution: str | None = None
    server: str | None = None
    guessed: bool = False
    """Whether the goal's text does not name the server."""
    action_type: str | None = None
    agent_id: str | None = None
    engineer_id: str | None = None
    due_on: date | None = None
    reasons: tuple[CleanStr, ...] = ()
    question: CleanStr = ""
    opening: Opening | None = None
    """The agent to hire, if no agent has the skill."""


@dataclass(frozen=True, slots=True)
class Breakdown:
    """An agent's breakdown of a goal."""

    pieces: tuple[dict[str, Any], ...]
    parts: tuple[GoalPartDraft, ...]
    thought_by: str
    due_on: date | None = None


@repeat_on_conflict
def create_goal(
    board: BoardContext,
    person: PersonInfo,
    text: str,
    *,
    title: str = "",
    channel: str,
    ticket: str = "",
) -> int:
    """File a goal for the head agent and return the number of its issue.

    A form that is sent twice, with the same `ticket`, files one goal. Raises `Missing` without a
    text and `Invalid` if there is no head agent.
    """
    require_permission(person, "goal.give")
    body = trim(text, _MAX_TEXT)
    if not body:
        raise Missing(what=t("goals.goal"))
    now = board.clock()
    new_issue = receiving.NewIssue(
        text=body,
        title=shorten(trim(title) or first_line(body), _MAX_TITLE, placeholder="…"),
        channel=channel,
        sender=f"{person.name} {person.title}".strip(),
        requester_id=person.id,
        external_id=f"goal:{person.id}:{ticket}" if ticket else None,
        kind=KIND,
    )
    with board.database.transaction() as session:
        dedupe = new_issue.dedupe_key
        if dedupe and (known := receiving.find_duplicate(session, dedupe)):
            return known
        head = registry.dispatcher(session)
        if head is None:
            raise Invalid(what=t("goals.goal"), why=t("goals.nobody"))
        issue = receiving.open_issue(session, replace(new_issue, agent_id=head), now)
        given = GoalState.GIVEN.value
        session.add(
            Goal(sr_id=issue.sr_id, state=given, agent_id=head, given_by=person.id, created_at=now)
        )
        wake(session, head, WakeReason.GOAL, now, issue.sr_id, by=Actor.of(person))
        log_entry(
            session,
            EntryKind.GOAL_GIVEN,
            issue.sr_id,
            Actor.of(person),
            now,
            {"text": body},
            who=person.name,
        )
        return issue.sr_id


@repeat_on_conflict
def claim_goal(
    board: BoardContext, run_context: RunContext, done: frozenset[int] = frozenset()
) -> GoalClaim | None:
    """Claim the oldest goal to break down, or return `None` if there is none.

    The claim raises the fence. Nothing is claimed while the kill switch is on. `done` are goals to
    skip.
    """
    with board.database.transaction() as session:
        if kill_switch_is_on(session) or not is_active(session, run_context):
            return None
        goal = session.scalar(
            select(Goal)
            .where(
                Goal.state == GoalState.GIVEN,
                Goal.sr_id.not_in(done),
            )
            .order_by(Goal.sr_id)
            .limit(1)
            .with_for_update(skip_locked=True, key_share=True)
        )
        if goal is None:
            return None
        goal.fence += 1
        # There is one head; a new one takes over the goals of its predecessor.
        goal.run_id, goal.agent_id = run_context.run_id, run_context.agent_id
        return GoalClaim(goal.sr_id, run_context.agent_id, run_context.run_id, goal.fence)


def load_brief(board: BoardContext, claim: GoalClaim) -> GoalBrief:
    """Return the text and context of the claimed goal."""
    with board.database.reading() as session:
        goal, issue = goal_of(session, claim.sr_id), get_issue(session, claim.sr_id)
        zone = revisions.running_chart(session).company.zone
        today = board.clock().astimezone(zone).date()
        return GoalBrief(issue.body, tuple(goal.pieces), today)


@repeat_on_conflict
def file_plan(board: BoardContext, claim: GoalClaim, found: Breakdown) -> GoalState:
    """File the parts, hires and questions of a plan (GIVEN -> PLANNED, or ASKED if none is clear).

    Parts that a person removed from an earlier plan stay removed.
    """
    if not found.parts:
        return ask_people(board, claim, t("goals.no_work"))
    now = board.clock()
    with board.database.transaction() as session:
        goal = claimed_goal(session, claim)
        removed = {(text, server) for text, server in session.execute(_removed_parts(claim.sr_id))}
        session.execute(delete(GoalPart).where(GoalPart.sr_id == claim.sr_id))
        rows = [
            _part_row(session, claim, n, part, removed, now)
            for n, part in enumerate(found.parts[:MAX_PARTS])
        ]
        session.add_all(rows)
        goal.pieces, goal.thought_by = [dict(p) for p in found.pieces], found.thought_by
        goal.plan_hash, goal.due_on, goal.run_id = _plan_hash(claim.sr_id, rows), found.due_on, None
        session.flush()
        clear = any(not part.question for part in found.parts)
        step = GoalMove.PLAN if clear else GoalMove.ASK
        state = move(session, goal, step, ActorKind.AGENT, now)
        issue = get_issue(session, claim.sr_id)
        issue.due_on = found.due_on
        questions = [p.question for p in found.parts if p.question]
        session.flush()
        log_entry(
            session,
            EntryKind.GOAL_PLANNED if clear else EntryKind.GOAL_ASKED,
            claim.sr_id,
            claim.actor,
            now,
            {
                "plan_hash": goal.plan_hash,
                "by": found.thought_by,
                "parts": [_part_detail(row) for row in rows],
            },
            parts=len(rows) - len(questions),
            questions=len(questions),
        )
        return state


@repeat_on_conflict
def ask_people(board: BoardContext, claim: GoalClaim, why: str) -> GoalState:
    """Ask a person for more detail before anything can be planned (GIVEN -> ASKED)."""
    now, actor = board.clock(), claim.actor
    with board.database.transaction() as session:
        goal = claimed_goal(session, claim)
        goal.run_id, goal.plan_hash = None, None
        state = move(session, goal, GoalMove.ASK, ActorKind.AGENT, now)
        comments.write_comment(session, claim.sr_id, actor, why, now)
        words = {"parts": 0, "questions": 1}
        log_entry(session, EntryKind.GOAL_ASKED, claim.sr_id, actor, now, {"why": why}, **words)
        return state


def _removed_parts(sr_id: int) -> Any:
    return select(GoalPart.text, GoalPart.server).where(
        GoalPart.sr_id == sr_id, GoalPart.state == "TAKEN_OUT"
    )


def _part_row(
    session: Session,
    claim: GoalClaim,
    ordinal: int,
    part: GoalPartDraft,
    removed: set[tuple[str, str | None]],
    now: datetime,
) -> GoalPart:
    hire = (
        requests.open_request(session, part.opening, claim.actor, claim.sr_id, now)
        if part.opening
        else None
    )
    text = part.text[:_MAX_PART]
    return GoalPart(
        sr_id=claim.sr_id,
        ordinal=ordinal,
        piece=part.piece,
        text=text,
        kind=part.kind,
        category=part.category,
        priority=part.priority,
        institution=part.institution,
        server=part.server,
        guessed=part.guessed,
        action_type=part.action_type,
        agent_id=part.agent_id,
        engineer_id=part.engineer_id,
        due_on=part.due_on,
        reasons=list(part.reasons),
        question=part.question,
        state="TAKEN_OUT" if (text, part.server) in removed else "PROPOSED",
        hire_id=hire,
    )


def _part_detail(row: GoalPart) -> dict[str, Any]:
    """Return a part as the audit log and the plan hash contain it."""
    return {
        "text": row.text,
        "server": row.server,
        "agent": row.agent_id,
        "hire": row.hire_id,
        "category": row.category,
        "due": row.due_on.isoformat() if row.due_on else None,
        "question": row.question,
        **({"guessed": True} if row.guessed else {}),
    }


def _plan_hash(sr_id: int, rows: Sequence[GoalPart]) -> str:
    return digest({"goal": sr_id, "parts": [_part_detail(row) for row in rows]})


# --- shared ------------------------------------------------------------------------------------


def goal_of(session: Session, sr_id: int, *, lock: bool = False) -> Goal:
    """Return a goal. Raises `NotFound` if it does not exist."""
    query = select(Goal).where(Goal.sr_id == sr_id)
    goal = session.scalar(query.with_for_update(key_share=True) if lock else query)
    if goal is None:
        raise NotFound(what=issue_ref(sr_id))
    return goal


def move(
    session: Session, goal: Goal, step: GoalMove, actor: ActorKind, now: datetime
) -> GoalState:
    """Move a goal to its next state by compare-and-set, and its issue accordingly.

    Raises `IllegalMove` if the state table has no such move, and `Stale` on a concurrent change.
    """
    following = next_goal_state(GoalState(goal.state), step, actor)
    if following is None:
        state, words = t(f"goals.state.{goal.state}"), t(f"goals.move.{step}")
        raise IllegalMove(state=state, move=words)
    changed = session.execute(
        update(Goal)
        .where(Goal.sr_id == goal.sr_id, Goal.state == goal.state, Goal.fence == goal.fence)
        .values(
            state=following.value,
            # A person's decision invalidates what the agent still has in flight.
            fence=Goal.fence + int(actor is ActorKind.PERSON),
            **({"run_id": None} if actor is ActorKind.PERSON else {}),
        )
        .execution_options(synchronize_session=False)
    )
    assert isinstance(changed, CursorResult)
    if changed.rowcount != 1:
        raise Stale(what=issue_ref(goal.sr_id))
    session.flush()
    session.execute(
        update(Issue)
        .where(Issue.sr_id == goal.sr_id)
        .values(status=ISSUE_STATE_OF[following].value, updated_at=now)
    )
    return following


def log_entry(
    session: Session,
    kind: EntryKind,
    sr_id: int,
    actor: Actor,
    now: datetime,
    detail: dict[str, Any],
    **words: str | int,
) -> None:
    """Append an audit entry about a goal; call it last in the transaction."""
    session.flush()
    log.append(
        session, kind, actor=str(actor), now=now, sr_id=sr_id, task_id=None, detail=detail, **words
    )
