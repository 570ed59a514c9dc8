"""Read who has an issue and why, the queue of unassigned issues, and how proposals went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from guardia.board.assignment import history
from guardia.board.assignment.model import Proposal, QueueEntry
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.display_names import display_names_of
from guardia.board.core.keyset import Keyset, Slice, read_slice
from guardia.board.core.model import Issue
from guardia.board.issues.visibility import visible_to
from guardia.org.directory import PersonInfo
from guardia.org.model import Person, Team

FIT_DAYS = 30
MAX_DAYS = 3650
_MOST = 20
_MINUTE = 60


@dataclass(frozen=True, slots=True)
class RankedCandidate:
    """A candidate of a proposal, as it was scored."""

    name: str
    score: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProposalView:
    """One row of the history of an issue's assignment."""

    number: int
    sr_id: int
    kind: str
    name: str
    state: str
    score: int | None
    reasons: tuple[str, ...]
    ranking: tuple[RankedCandidate, ...]
    proposed_at: datetime
    due_at: datetime | None
    by: str
    reason: str
    is_mine: bool
    """Whether it waits for the viewer's answer."""


@dataclass(frozen=True, slots=True)
class QueuedIssue:
    """An unassigned issue."""

    entry: int
    sr_id: int
    title: str
    priority: str | None
    category: str | None
    institution: str | None
    why: str
    owner: str
    owner_reason: str
    team: str
    queued_at: datetime


@dataclass(frozen=True, slots=True)
class MyProposal:
    """A proposal that waits for the viewer's answer."""

    number: int
    sr_id: int
    title: str
    reasons: tuple[str, ...]
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class FitLine:
    """How the proposals to one candidate went."""

    name: str
    kind: str
    proposed: int = 0
    accepted: int = 0
    declined: int = 0
    lapsed: int = 0
    reassigned: int = 0
    delegated: int = 0
    minutes: int | None = None
    """Median minutes from the proposal to its acceptance."""


def history_of(session: Session, viewer: PersonInfo, sr_id: int) -> tuple[ProposalView, ...]:
    """Return the newest rows of an issue's assignment."""
    found = history.rows(session, sr_id)[:_MOST]
    names = _names(session, found)
    return tuple(_proposal(row, viewer, names) for row in found)


def _proposal(row: Proposal, viewer: PersonInfo, names: Mapping[str, str]) -> ProposalView:
    waits = row.state == "OPEN" and row.kind == "person" and row.candidate_id == viewer.id
    return ProposalView(
        row.proposal_id,
        row.sr_id,
        row.kind,
        names.get(f"{row.kind}:{row.candidate_id}", row.candidate_id),
        row.state,
        row.score,
        tuple(row.reasons),
        tuple(
            RankedCandidate(
                names.get(str(Actor.person(one["person"])), one["person"]),
                one["score"],
                tuple(one["reasons"]),
            )
            for one in row.ranking
        ),
        row.proposed_at,
        row.due_at,
        names.get(row.proposed_by, row.proposed_by),
        row.reason,
        waits,
    )


def _names(session: Session, rows: Sequence[Proposal]) -> dict[str, str]:
    actors = {f"{row.kind}:{row.candidate_id}" for row in rows if row.kind != "team"}
    actors |= {row.proposed_by for row in rows}
    actors |= {str(Actor.person(one["person"])) for row in rows for one in row.ranking}
    teams = [row.candidate_id for row in rows if row.kind == "team"]
    return {**display_names_of(session, actors), **_team_names(session, teams)}


def _team_names(session: Session, teams: Sequence[str]) -> dict[str, str]:
    if not teams:
        return {}
    found = session.execute(select(Team.team_id, Team.name).where(Team.team_id.in_(teams)))
    return {f"team:{team}": name for team, name in found}


def list_queue(board: BoardContext, viewer: PersonInfo | None, page: Keyset) -> Slice[QueuedIssue]:
    """Return one page of unassigned issues, the newest first. `None`: the operator."""
    query = (
        select(QueueEntry, Issue, Person.name, Person.title, Team.name)
        .join(Issue, Issue.sr_id == QueueEntry.sr_id)
        .outerjoin(Person, Person.person_id == QueueEntry.owner_id)
        .outerjoin(Team, Team.team_id == QueueEntry.team_id)
        .where(QueueEntry.left_at.is_(None))
    )
    if viewer is not None:
        query = query.where(visible_to(viewer))
    with board.database.reading() as session:
        found = read_slice(session, query, QueueEntry.entry_id, page, lambda row: row[0].entry_id)
    rows = tuple(_queued(*row) for row in found.rows)
    return Slice(rows, found.newer, found.older)


def _queued(
    entry: QueueEntry, issue: Issue, name: str | None, title: str | None, team: str | None
) -> QueuedIssue:
    return QueuedIssue(
        entry.entry_id,
        issue.sr_id,
        issue.title,
        issue.priority,
        issue.category,
        issue.inst_id,
        entry.why,
        f"{name or ''} {title or ''}".strip() or "-",
        entry.owner_reason,
        team or "",
        entry.queued_at,
    )


def queue_entry_of(session: Session, sr_id: int) -> QueuedIssue | None:
    """Return the entry of an issue in the queue, if it is there."""
    query = (
        select(QueueEntry, Issue, Person.name, Person.title, Team.name)
        .join(Issue, Issue.sr_id == QueueEntry.sr_id)
        .outerjoin(Person, Person.person_id == QueueEntry.owner_id)
        .outerjoin(Team, Team.team_id == QueueEntry.team_id)
        .where(QueueEntry.left_at.is_(None), QueueEntry.sr_id == sr_id)
    )
    row = session.execute(query).one_or_none()
    return _queued(*row) if row is not None else None


def my_proposals(board: BoardContext, viewer: PersonInfo) -> tuple[MyProposal, ...]:
    """Return the proposals that wait for the viewer's answer, the newest first."""
    query = (
        select(Proposal, Issue.title)
        .join(Issue, Issue.sr_id == Proposal.sr_id)
        .where(
            Proposal.candidate_id == viewer.id,
            Proposal.kind == "person",
            Proposal.state == "OPEN",
            visible_to(viewer),
        )
        .order_by(Proposal.proposal_id.desc())
        .limit(_MOST)
    )
    with board.database.reading() as session:
        return tuple(
            MyProposal(row.proposal_id, row.sr_id, title, tuple(row.reasons), row.due_at)
            for row, title in session.execute(query)
        )


def own_proposal(board: BoardContext, viewer: PersonInfo, sr_id: int) -> int | None:
    """Return the number of the proposal of an issue that waits for the viewer's answer."""
    query = select(Proposal.proposal_id).where(
        Proposal.sr_id == sr_id,
        Proposal.candidate_id == viewer.id,
        Proposal.kind == "person",
        Proposal.state == "OPEN",
    )
    with board.database.reading() as session:
        return session.scalar(query)


def fit_report(board: BoardContext, days: int = FIT_DAYS) -> tuple[FitLine, ...]:
    """Return how the proposals of a period went, by candidate, the busiest first."""
    since = board.current_time() - timedelta(days=days)
    asked = Proposal.state.in_(("OPEN", "ACCEPTED", "DECLINED", "LAPSED"))
    waited = func.extract("epoch", Proposal.answered_at - Proposal.proposed_at)
    median = func.percentile_cont(0.5).within_group(
        case((Proposal.state == "ACCEPTED", waited), else_=None)
    )
    total = func.count()
    query = (
        select(
            Proposal.kind,
            Proposal.candidate_id,
            total.filter(asked),
            *(total.filter(Proposal.state == state) for state in _COUNTED),
            median,
        )
        .where(Proposal.proposed_at >= since)
        .group_by(Proposal.kind, Proposal.candidate_id)
        .order_by(total.desc(), Proposal.candidate_id)
        .limit(_MOST * 5)
    )
    with board.database.reading() as session:
        rows = session.execute(query).all()
        stored = {f"{kind}:{one}" for kind, one, *_ in rows if kind != "team"}
        names = display_names_of(session, stored)
        names |= _team_names(session, [one for kind, one, *_ in rows if kind == "team"])
    return tuple(
        FitLine(
            names.get(f"{kind}:{one}", one),
            kind,
            minutes=_minutes(seconds),
            **dict(zip(_COUNTS, counts, strict=True)),
        )
        for kind, one, *counts, seconds in rows
    )


_COUNTS = ("proposed", "accepted", "declined", "lapsed", "reassigned", "delegated")


def _minutes(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds / _MINUTE)


_COUNTED = ("ACCEPTED", "DECLINED", "LAPSED", "REPLACED", "DELEGATED")
