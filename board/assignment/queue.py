"""The queue of unassigned issues: enter it, take an issue, assign people and teams."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.assignment import history, notices, ranking
from guardia.board.assignment.model import Proposal, QueueEntry
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.model import Issue, Task
from guardia.board.core.outbox import reply_to_room
from guardia.board.issues import visibility
from guardia.db.engine import repeat_on_conflict
from guardia.errors import NoSuchAssignee
from guardia.i18n import t
from guardia.org.access import is_allowed, require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import Person, Team, TeamMember
from guardia.text import MAX_REASON, trim

ACTION = "issue.assign"


def enter_within(
    session: Session, issue: Issue, why: str, by: Actor, now: datetime, *, quietly: bool = False
) -> None:
    """Put an issue into the queue of unassigned issues, with the person who looks after it."""
    owner = ranking.owner_for(session, issue, now)
    _add_entry(session, issue, owner, why, now)
    who = notices.person_label(session, owner.person_id)
    if not quietly:
        notices.say_queued(session, issue, owner, now)
    log.append(
        session,
        EntryKind.ISSUE_QUEUED,
        actor=str(by),
        now=now,
        sr_id=issue.sr_id,
        detail={"owner": owner.person_id, "owner_reason": owner.reason, "why": why},
        who=who,
        why=why,
    )


def _add_entry(
    session: Session,
    issue: Issue,
    owner: ranking.QueueOwner,
    why: str,
    now: datetime,
    team_id: str | None = None,
) -> None:
    session.add(
        QueueEntry(
            sr_id=issue.sr_id,
            owner_id=owner.person_id,
            owner_reason=owner.reason,
            team_id=team_id,
            why=why,
            queued_at=now,
        )
    )
    session.flush()


def take(board: BoardContext, person: PersonInfo, sr_id: int) -> None:
    """Take an issue over as the person responsible for it."""
    assign(board, person, sr_id, person.id)


@repeat_on_conflict
def assign(board: BoardContext, by: PersonInfo, sr_id: int, target: str, reason: str = "") -> str:
    """Assign an issue to a person or a team; return the name of who has it now.

    Raises `NotFound` if `by` may not see the issue, `NoSuchAssignee` if there is no such person who
    may work on issues and no such team, `Refused` if the issue has ended.
    """
    require_permission(by, ACTION)
    now, actor, why = board.clock(), Actor.of(by), trim(reason, MAX_REASON)
    with board.database.transaction() as session:
        visibility.find_issue(session, by, sr_id)
        issue, tasks = history.lock_open_issue(session, sr_id)
        person = find_assignee(session, target)
        team = None if person else find_team(session, target)
        if person is None and team is None:
            raise NoSuchAssignee(what=target or "-")
        kind, chosen = ("person", target) if person else ("team", team.team_id if team else "")
        record_choice(session, sr_id, kind, chosen, actor, now, why)
        issue.assignee_id, issue.updated_at = (chosen if person else None), now
        for task in tasks:
            task.owner_id = chosen if person else None
        name = notices.person_label(session, chosen) if person else (team.name if team else "")
        if team is not None:
            _queue_for_team(session, issue, team, why, now)
        words = {"sr": sr_id, "who": name, "by": actor.label}
        key = "assignment.taken" if chosen == by.id else "assignment.assigned"
        reply_to_room(session, issue, t(key, **words), now)
        given_to = [chosen] if person else members_of(session, chosen)
        others = [one for one in given_to if one != by.id]
        notices.say_assigned(session, issue, others, t(key, **words), now)
        _log_assigned(session, issue, tasks, (kind, chosen, name), actor, why, now)
        return name


def record_choice(
    session: Session,
    sr_id: int,
    kind: str,
    chosen: str,
    by: Actor,
    now: datetime,
    reason: str = "",
) -> None:
    """Keep that a person gave an issue to someone; earlier proposals end, it leaves the queue."""
    history.withdraw_open(session, sr_id, by, now)
    replaced = ("agent",) if kind == "agent" else ("person", "team")
    history.replace_confirmed(session, sr_id, replaced, by, now)
    if kind != "agent":
        history.leave_queue(session, sr_id, by, now)
    session.add(
        Proposal(
            sr_id=sr_id,
            kind=kind,
            candidate_id=chosen,
            reasons=[reason] if reason else [],
            state="ASSIGNED",
            proposed_by=str(by),
            proposed_at=now,
            answered_by=str(by),
            answered_at=now,
        )
    )
    session.flush()


def find_assignee(session: Session, person_id: str) -> PersonInfo | None:
    """Return a person who may work on issues, or `None`."""
    row = session.get(Person, person_id)
    found = row.as_info() if row is not None and row.active else None
    return found if found is not None and is_allowed(found, ACTION) else None


def find_team(session: Session, name: str) -> Team | None:
    """Return a team by its id or name, or `None`."""
    query = select(Team).where((Team.team_id == name) | (Team.name == name))
    return session.scalars(query.order_by(Team.team_id).limit(1)).first()


def members_of(session: Session, team_id: str) -> list[str]:
    """Return the members of a team, by id."""
    query = select(TeamMember.person_id).where(TeamMember.team_id == team_id)
    return list(session.scalars(query.order_by(TeamMember.person_id)))


def _queue_for_team(session: Session, issue: Issue, team: Team, why: str, now: datetime) -> None:
    first = next(iter(members_of(session, team.team_id)), None)
    lead = session.get(Person, team.lead_id) if team.lead_id else None
    reason = t("assignment.owner.team", team=team.name)
    owner = ranking.QueueOwner(lead.person_id if lead else first, reason)
    _add_entry(session, issue, owner, why, now, team.team_id)


def _log_assigned(
    session: Session,
    issue: Issue,
    tasks: list[Task],
    chosen: tuple[str, str, str],
    by: Actor,
    reason: str,
    now: datetime,
) -> None:
    kind, chosen_id, name = chosen
    log.append(
        session,
        EntryKind.ISSUE_ASSIGNED,
        actor=str(by),
        now=now,
        sr_id=issue.sr_id,
        detail={
            "kind": kind,
            "to": chosen_id,
            "reason": reason,
            "tasks": [task.task_id for task in tasks],
        },
        who=name,
        by=by.label,
    )


def log_unassigned(session: Session, issue: Issue, by: Actor, reason: str, now: datetime) -> None:
    """Log that an issue was taken from its person while its agent works on."""
    _log_assigned(session, issue, [], ("none", "", "-"), by, reason, now)
