"""Further reports of one incident: link them to the issue that repairs it, and answer them all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.assignment import history, proposals, same_incident
from guardia.board.assignment.model import IssueReport
from guardia.board.assignment.understanding import Understanding, keep_understanding
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.core.actors import Actor
from guardia.board.core.choices import Choice
from guardia.board.core.claims import Claim, claimed_task
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.lifecycle import OPEN_STATES, ActorKind, Move, State
from guardia.board.core.lookup import get_issue, lock_issues, lock_tasks
from guardia.board.core.model import Issue, Task
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.core.outbox import reply_to_room
from guardia.board.core.transitions import move_task
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import wake
from guardia.board.issues import visibility
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Forbidden, NotFound, Refused
from guardia.i18n import t
from guardia.org import identity, registry, revisions
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo

DIFFERENT = "different"
"""The act of the button with which a requester says that the report is of something else."""
_ACTION = "issue.assign"
_INCIDENT = "INCIDENT"
_OPEN_VALUES = [state.value for state in OPEN_STATES]
_BEFORE_WORK = (State.RECEIVED, State.PARSED, State.MANUAL)
_UNREPAIRED = (State.ABORTED, State.REJECTED)
_CLOCK = Actor.system("clock")
_SIMILAR = 3


@repeat_on_conflict
def link_claimed(
    board: BoardContext, claim: Claim, understood: Understanding, below: Sequence[str] = ()
) -> int | None:
    """Link a claimed request to the open incident that it reports again; return that issue.

    `None` if there is none, see `same_incident`. `below` are the servers without which the reported
    one cannot work. People's undoing of a link is final.
    """
    now = board.clock()
    with board.database.transaction() as session:
        task = claimed_task(session, claim)
        issue = get_issue(session, claim.sr_id)
        found = None
        if not (issue.parent_id or issue.goal_id or _was_linked(session, issue.sr_id)):
            found = same_incident.same_incident(session, issue, understood, below, now)
        if found is None:
            return None
        main_id, why = found
        move_task(session, task, Move.HAND_OVER, actor=ActorKind.AGENT, now=now, run_id=None)
        keep_understanding(issue, task, understood)
        _link(session, issue, main_id, why, claim.actor, now, understood)
        return main_id


def _was_linked(session: Session, sr_id: int) -> bool:
    query = select(IssueReport.report_id).where(IssueReport.sr_id == sr_id).limit(1)
    return session.scalar(query) is not None


def similar_issues(session: Session, issue: Issue, now: datetime) -> list[int]:
    """Return open incidents of the same institution and category, for people to compare."""
    if issue.kind != _INCIDENT or not issue.inst_id or not issue.category:
        return []
    window = revisions.assignment_rules(session).report_window
    query = (
        select(Issue.sr_id)
        .where(
            Issue.inst_id == issue.inst_id,
            Issue.sr_id < issue.sr_id,
            Issue.kind == _INCIDENT,
            Issue.category == issue.category,
            Issue.status.in_(_OPEN_VALUES),
            Issue.created_at > now - window,
        )
        .order_by(Issue.sr_id.desc())
        .limit(_SIMILAR)
    )
    return list(session.scalars(query))


@repeat_on_conflict
def link(board: BoardContext, person: PersonInfo, sr_id: int, main_id: int) -> None:
    """Link an issue to another one as a further report, as a person.

    Raises `Refused` if work on it has begun, or the other has ended or is itself a report.
    """
    require_permission(person, _ACTION)
    now, by = board.clock(), Actor.of(person)
    with board.database.transaction() as session:
        for number in (sr_id, main_id):
            visibility.find_issue(session, person, number)
        tasks = lock_tasks(session, Task.sr_id == sr_id)
        lock_issues(session, (sr_id, main_id))
        issue, main = get_issue(session, sr_id), get_issue(session, main_id)
        if sr_id == main_id or history.is_linked(session, sr_id):
            raise Refused(why=t("assignment.report.already", sr=sr_id))
        if main.status not in _OPEN_VALUES or history.is_linked(session, main_id):
            raise Refused(why=t("assignment.report.no_main", main=main_id))
        if _has_reports(session, sr_id) or any(s.status not in _BEFORE_WORK for s in tasks):
            raise Refused(why=t("assignment.report.begun", sr=sr_id))
        for task in tasks:
            if task.status != State.MANUAL:
                more = {"run_id": None, "fence": task.fence + 1}
                move_task(session, task, Move.HAND_OVER, actor=ActorKind.PERSON, now=now, **more)
        _link(session, issue, main_id, t("assignment.report.by_person"), by, now)


def _has_reports(session: Session, sr_id: int) -> bool:
    query = select(IssueReport.report_id).where(
        IssueReport.main_id == sr_id, IssueReport.state == "LINKED"
    )
    return session.scalar(query.limit(1)) is not None


def _link(
    session: Session,
    issue: Issue,
    main_id: int,
    why: str,
    by: Actor,
    now: datetime,
    understood: Understanding | None = None,
) -> None:
    history.withdraw_open(session, issue.sr_id, by, now)
    history.leave_queue(session, issue.sr_id, by, now)
    row = IssueReport(
        sr_id=issue.sr_id,
        main_id=main_id,
        why=why,
        linked_by=str(by),
        linked_at=now,
        state="LINKED",
    )
    session.add(row)
    session.flush()
    main = get_issue(session, main_id)
    other = Choice(DIFFERENT, str(issue.sr_id), t("assignment.report.different"))
    reply_to_room(session, issue, _notice(issue, main), now, choices=(other,))
    log.append(
        session,
        EntryKind.REPORT_LINKED,
        actor=str(by),
        now=now,
        sr_id=issue.sr_id,
        detail={
            "main": main_id,
            "why": why,
            **(understood.model_dump(mode="json") if understood else {}),
        },
        main=main_id,
        why=why,
    )


def _notice(issue: Issue, main: Issue) -> str:
    """Return the notice to the requester: nothing about an issue of another institution."""
    if not _may_know(issue, main):
        return t("assignment.report.known_elsewhere", sr=issue.sr_id)
    state = t(f"state.{main.status}")
    return t("assignment.report.known", sr=issue.sr_id, main=main.sr_id, state=state)


def _may_know(issue: Issue, main: Issue) -> bool:
    return issue.inst_id is not None and issue.inst_id == main.inst_id


def unlink(board: BoardContext, person: PersonInfo, sr_id: int) -> None:
    """Undo a link: the issue goes on alone. Raises `NotFound` if it is no report.

    Its requester may do so, too: they know best that it is something else.
    """
    with board.database.reading() as session:
        visibility.find_issue(session, person, sr_id)
        if get_issue(session, sr_id).requester_id != person.id:
            require_permission(person, _ACTION)
    _go_on_alone(board, sr_id, Actor.of(person))


def object_to(board: BoardContext, channel: str, account: str, sr_id: int) -> None:
    """Undo a link for the writer of a report, by their account in the channel.

    Raises `Forbidden` for anyone else, `NotFound` if it is no report.
    """
    with board.database.reading() as session:
        issue = get_issue(session, sr_id)
        by = identity.person_of_account(session, channel, account)
        own = f"{channel}:{account}" == issue.requester_account
        if not account or not (own or (by is not None and by.person_id == issue.requester_id)):
            raise Forbidden(who=account, action=t("assignment.report.objected"))
        actor = Actor.of(by.as_info()) if by is not None else Actor.channel(channel)
    _go_on_alone(board, sr_id, actor)


@repeat_on_conflict
def _go_on_alone(board: BoardContext, sr_id: int, by: Actor) -> None:
    now = board.clock()
    with board.database.transaction() as session:
        tasks = lock_tasks(session, Task.sr_id == sr_id)
        lock_issues(session, [sr_id])
        row = _lock_link(session, sr_id)
        if row is None:
            raise NotFound(what=issue_ref(sr_id))
        _end(row, "UNLINKED", by, now)
        issue = get_issue(session, sr_id)
        returned = _return_to_dispatcher(session, tasks, by, now)
        reply_to_room(session, issue, t("assignment.report.unlinked", sr=sr_id), now)
        log.append(
            session,
            EntryKind.REPORT_UNLINKED,
            actor=str(by),
            now=now,
            sr_id=sr_id,
            detail={"main": row.main_id},
            main=row.main_id,
            who=by.label,
        )
        if not returned:
            proposals.propose_within(session, issue, by, now)


def _return_to_dispatcher(
    session: Session, tasks: Sequence[Task], by: Actor, now: datetime
) -> bool:
    """Give tasks with a server back to the dispatcher, which forwards them to a specialist."""
    dispatcher, returned = registry.dispatcher(session), False
    for task in tasks:
        if task.status != State.MANUAL or task.target_server is None or dispatcher is None:
            continue
        more = {"attempt": task.attempt + 1, "agent_id": dispatcher}
        move_task(session, task, Move.RETURN, actor=ActorKind.PERSON, now=now, **more)
        cause = {"task": task.task_id}
        wake(session, dispatcher, WakeReason.ASSIGNMENT, now, task.sr_id, cause=cause, by=by)
        returned = True
    return returned


def _lock_link(session: Session, sr_id: int) -> IssueReport | None:
    query = select(IssueReport).where(IssueReport.sr_id == sr_id, IssueReport.state == "LINKED")
    return session.scalars(query.with_for_update()).one_or_none()


def _end(row: IssueReport, state: str, by: Actor, now: datetime) -> None:
    row.state, row.ended_by, row.ended_at = state, str(by), now


def due_links(session: Session, limit: int) -> list[int]:
    """Return linked issues whose main issue has ended in a way that concerns them."""
    ended = [State.COMPLETED.value, *(state.value for state in _UNREPAIRED)]
    query = (
        select(IssueReport.sr_id)
        .join(Issue, Issue.sr_id == IssueReport.main_id)
        .where(IssueReport.state == "LINKED", Issue.status.in_(ended))
    )
    return list(session.scalars(query.order_by(IssueReport.report_id).limit(limit)))


@repeat_on_conflict
def follow(board: BoardContext, sr_id: int) -> bool:
    """End a linked issue as its main issue has ended, and answer its requester.

    A main issue that ended without a repair releases it: people go on with it.
    """
    now = board.clock()
    with board.database.transaction() as session:
        tasks = lock_tasks(session, Task.sr_id == sr_id)
        lock_issues(session, [sr_id])
        row = _lock_link(session, sr_id)
        if row is None:
            return False
        issue, main = get_issue(session, sr_id), get_issue(session, row.main_id)
        if main.status == State.COMPLETED:
            _answer(session, row, issue, main, tasks, now)
        elif main.status in _UNREPAIRED:
            _release(session, row, issue, main, now)
        else:
            return False
        return True


def _answer(
    session: Session,
    row: IssueReport,
    issue: Issue,
    main: Issue,
    tasks: Sequence[Task],
    now: datetime,
) -> None:
    for task in tasks:
        if task.status == State.MANUAL:
            move_task(session, task, Move.FOLLOW, actor=ActorKind.AGENT, now=now)
    _end(row, "ANSWERED", _CLOCK, now)
    result = _result_of(session, main) if _may_know(issue, main) else ""
    key = "assignment.report.done" if result else "assignment.report.done_elsewhere"
    text = t(key, sr=issue.sr_id, main=main.sr_id, text=result)
    reply_to_room(session, issue, text, now, notice=NoticeKind.DONE)
    _log_end(session, row, text, now)


def _result_of(session: Session, main: Issue) -> str:
    """Return the result of a completed issue in the words of its own answer."""
    query = select(AuditEntry.detail["text"].astext).where(
        AuditEntry.sr_id == main.sr_id, AuditEntry.kind == EntryKind.COMPLETED.value
    )
    return session.scalar(query.order_by(AuditEntry.seq.desc()).limit(1)) or ""


def _release(session: Session, row: IssueReport, issue: Issue, main: Issue, now: datetime) -> None:
    _end(row, "RELEASED", _CLOCK, now)
    session.flush()
    text = t("assignment.report.released", sr=issue.sr_id)
    reply_to_room(session, issue, text, now)
    _log_end(session, row, text, now)
    proposals.propose_within(session, issue, _CLOCK, now)


def _log_end(session: Session, row: IssueReport, text: str, now: datetime) -> None:
    session.flush()
    log.append(
        session,
        EntryKind.REPORT_ENDED,
        actor=str(_CLOCK),
        now=now,
        sr_id=row.sr_id,
        detail={"main": row.main_id, "state": row.state, "text": text},
        main=row.main_id,
        state=t(f"assignment.report.state.{row.state}"),
    )
