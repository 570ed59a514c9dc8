"""What follows if a requester says that an ended request is not resolved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.control import reopening
from guardia.board.core import outbox
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.lifecycle import ENDED_STATES, State
from guardia.board.core.lookup import lock_issues
from guardia.board.core.model import Issue, Task
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.core.reasons import require_reason
from guardia.board.issues import receiving, visibility
from guardia.board.issues.receiving import NewIssue
from guardia.board.service_levels.model import ServiceClock
from guardia.board.service_levels.policy import ClockKind
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Forbidden, Refused
from guardia.i18n import t
from guardia.org import revisions
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.org.service_levels import ServiceLevels

_CHANNEL = "web"


@dataclass(frozen=True, slots=True)
class Followed:
    """What followed: the request itself was reopened, or another one was opened."""

    sr_id: int
    is_reopened: bool


def report_unresolved(board: BoardContext, person: PersonInfo, sr_id: int, reason: str) -> Followed:
    """Reopen an ended request with the reason, or after some time open another one for it.

    Its engineers are notified. Raises `NotFound` if the person may not see it, `Forbidden` unless
    it is their own, `Refused` while work goes on.
    """
    require_permission(person, "issue.reopen")
    text, now = require_reason(reason), board.clock()
    with board.database.reading() as session:
        issue = visibility.find_issue(session, person, sr_id)
        _require_ended(session, person, issue)
        is_recent = now - ended_at(session, issue) <= reopening_time(session)
    if not is_recent:
        return Followed(_open_another(board, person, sr_id, text), is_reopened=False)
    reopening.reopen(board, person, sr_id, text)
    _notify(board, person, sr_id, text)
    return Followed(sr_id, is_reopened=True)


def reopening_time(session: Session) -> timedelta:
    """Return how long after its end a request is reopened, as the chart says."""
    levels: ServiceLevels = revisions.service_levels(session)[0]
    return levels.reopen_within


def ended_at(session: Session, issue: Issue) -> datetime:
    """Return when an issue ended: its clock says so, or its last change."""
    clock = session.get(ServiceClock, (issue.sr_id, ClockKind.RESOLUTION.value))
    stopped = clock.stopped_at if clock is not None else None
    return stopped or issue.updated_at


def _require_ended(session: Session, person: PersonInfo, issue: Issue) -> None:
    if not reopening.may_reopen(session, person, issue):
        who = f"{person.name} {person.title}"
        raise Forbidden(who=who, action=t("org.right.issue.reopen"))
    if State(issue.status) not in ENDED_STATES:
        raise Refused(why=t("service.unresolved.not_ended"))


@repeat_on_conflict
def _notify(board: BoardContext, person: PersonInfo, sr_id: int, text: str) -> None:
    with board.database.transaction() as session:
        issue = session.get_one(Issue, sr_id)
        _notify_within(session, issue, person, text, board.clock())


def _notify_within(
    session: Session, issue: Issue, person: PersonInfo, reason: str, now: datetime
) -> None:
    query = select(Task.owner_id).where(Task.sr_id == issue.sr_id, Task.owner_id.is_not(None))
    owners = [issue.assignee_id, *session.scalars(query)]
    people = [one for one in owners if one and one != person.id]
    words = {"sr": issue_ref(issue.sr_id), "title": issue.title, "reason": reason}
    text = t("service.unresolved.notice", **words)
    outbox.notify(session, NoticeKind.ASSIGNED, text, people, now, sr_id=issue.sr_id)


@repeat_on_conflict
def _open_another(board: BoardContext, person: PersonInfo, sr_id: int, reason: str) -> int:
    """Open an issue below the old one; the same answer twice opens only one."""
    now = board.clock()
    with board.database.transaction() as session:
        lock_issues(session, [sr_id])
        issue = session.get_one(Issue, sr_id)
        new = NewIssue(
            text=t("service.unresolved.follow_body", sr=issue_ref(sr_id), reason=reason),
            title=t("service.unresolved.follow_title", title=issue.title),
            channel=_CHANNEL,
            sender=f"{person.name} {person.title}",
            requester_id=issue.requester_id or person.id,
            institution=issue.inst_id,
            external_id=f"unresolved:{sr_id}:{issue.updated_at.isoformat()}",
            kind=issue.kind,
            category=issue.category,
            priority=issue.priority,
            parent_id=sr_id,
            origin={"follows": sr_id},
        )
        if new.dedupe_key and (earlier := receiving.find_duplicate(session, new.dedupe_key)):
            return earlier
        _notify_within(session, issue, person, reason, now)
        session.flush()
        log.append(
            session,
            EntryKind.NOT_RESOLVED,
            actor=str(Actor.of(person)),
            now=now,
            sr_id=sr_id,
            detail={"reason": reason},
            reason=reason,
            who=f"{person.name} {person.title}",
        )
        return receiving.receive_within(session, new, now)
