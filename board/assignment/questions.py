"""Ask the requester which server is meant; the answer continues the request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from guardia.board.assignment import question_words
from guardia.board.assignment.model import Question
from guardia.board.assignment.question_words import ReadAnswer, ServerChoice
from guardia.board.assignment.understanding import Understanding, keep_understanding
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.choices import Choice
from guardia.board.core.claims import Claim, claimed_task
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import State
from guardia.board.core.lookup import get_issue, lock_issues, lock_task
from guardia.board.core.model import Issue, Task
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.core.outbox import reply_to_room
from guardia.board.core.wake_reasons import URGENT_PRIORITY, WakeReason
from guardia.board.core.wakes import wake
from guardia.board.issues import visibility
from guardia.db.engine import repeat_on_conflict
from guardia.errors import NotFound, Stale
from guardia.i18n import t
from guardia.org import identity, registry, revisions
from guardia.org.access import is_allowed, require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import Server
from guardia.text import MAX_REASON, trim

ACT = "server"
_ROUNDS = 2
_MINUTE = 60
_CLOCK = Actor.system("clock")


@dataclass(frozen=True, slots=True)
class AskedBefore:
    """The outcome of the last question about a request."""

    state: str


def asked_before(board: BoardContext, sr_id: int) -> AskedBefore | None:
    """Return the outcome of the last question about an issue, or `None` if none was asked."""
    query = select(Question.state).where(Question.sr_id == sr_id)
    with board.database.reading() as session:
        state = session.scalar(query.order_by(Question.question_id.desc()).limit(1))
    return AskedBefore(state) if state is not None else None


@repeat_on_conflict
def ask(
    board: BoardContext,
    claim: Claim,
    text: str,
    choices: Sequence[ServerChoice],
    understood: Understanding,
) -> None:
    """Ask which server a claimed request means; it waits for the answer, for a time.

    What was `understood` of it is kept.
    """
    now = board.clock()
    with board.database.transaction() as session:
        task = claimed_task(session, claim)
        issue = get_issue(session, claim.sr_id)
        keep_understanding(issue, task, understood)
        due = now + _time_to_answer(session, issue)
        task.run_id, task.run_after, task.fence = None, due, task.fence + 1
        row = Question(
            sr_id=issue.sr_id,
            task_id=task.task_id,
            text=text,
            choices=[{"server": one.server, "label": one.label} for one in choices],
            state="OPEN",
            channel=issue.channel,
            room=issue.room,
            thread=issue.thread,
            account=issue.requester_account,
            asked_at=now,
            due_at=due,
        )
        session.add(row)
        session.flush()
        _send(session, row, issue, t("assignment.question.ask", sr=issue.sr_id, text=text), now)
        log.append(
            session,
            EntryKind.QUESTION_ASKED,
            actor=str(claim.actor),
            now=now,
            sr_id=issue.sr_id,
            task_id=task.task_id,
            detail={
                "question": row.question_id,
                "text": text,
                "choices": row.choices,
                **understood.model_dump(mode="json"),
            },
            text=text,
        )


def _time_to_answer(session: Session, issue: Issue) -> timedelta:
    """Return how long a request may wait; an urgent one soon goes to people."""
    rules = revisions.assignment_rules(session)
    urgent = issue.priority == URGENT_PRIORITY
    return min(rules.question_within, rules.urgent_within) if urgent else rules.question_within


def can_be_asked(board: BoardContext, sr_id: int) -> bool:
    """Return whether an issue has a known requester who can answer."""
    with board.database.reading() as session:
        issue = get_issue(session, sr_id)
        return bool(issue.requester_id or (issue.requester_account and issue.room))


def most_choices(board: BoardContext) -> int:
    """Return the most servers that a question offers as buttons."""
    with board.database.reading() as session:
        return revisions.assignment_rules(session).choices


def _send(session: Session, row: Question, issue: Issue, text: str, now: datetime) -> None:
    reply_to_room(session, issue, text, now, choices=buttons(row), notice=NoticeKind.QUESTION)


def buttons(row: Question) -> tuple[Choice, ...]:
    """Return the buttons of a question."""
    return tuple(
        Choice(ACT, f"{row.question_id}:{number}", one["label"])
        for number, one in enumerate(row.choices)
    )


def choices_of(row: Question) -> list[ServerChoice]:
    """Return the servers that a question offers."""
    return [ServerChoice(one["server"], one["label"]) for one in row.choices]


def answer(board: BoardContext, person: PersonInfo, sr_id: int, text: str) -> str:
    """Answer the question about an issue on its page; return what happens next.

    Customers answer for their institution, staff for everyone. Raises `NotFound` if none is open.
    """
    require_permission(person, "issue.comment")
    with board.database.reading() as session:
        issue = visibility.find_issue(session, person, sr_id)
        number = _open_number(session, issue.sr_id)
    if number is None:
        raise NotFound(what=t("assignment.question.none"))
    return answer_number(board, number, text, Actor.of(person))


def outcome(session: Session, row: Question) -> str:
    """Return what has become of a question that is no longer open."""
    if row.state != "ANSWERED":
        return t("assignment.question.closed", sr=row.sr_id)
    servers = ", ".join(get_issue(session, row.sr_id).triage.get("answered") or ())
    return t("assignment.question.thanks", sr=row.sr_id, servers=servers)


def _open_number(session: Session, sr_id: int) -> int | None:
    query = select(Question.question_id).where(Question.sr_id == sr_id, Question.state == "OPEN")
    return session.scalar(query)


@repeat_on_conflict
def answer_number(board: BoardContext, number: int, text: str, by: Actor) -> str:
    """Take the answer to an open question; return what happens next.

    The callers check who answers. Raises `Stale` if the question is no longer open.
    """
    now, words = board.clock(), trim(text, MAX_REASON)
    with board.database.transaction() as session:
        row, issue, task = _lock(session, number)
        found = _read(session, row, issue, words)
        row.answer, row.answered_by, row.answered_at = words, str(by), now
        if found.servers:
            return _continue(session, row, issue, task, found.servers, by, now)
        if found.unknown or row.round >= _ROUNDS:
            return _give_up(session, row, task, "UNCLEAR", by, now)
        return _ask_again(session, row, issue, task, by, now)


def read_words(session: Session, row: Question, text: str) -> ReadAnswer:
    """Return what a line means as an answer to a question."""
    return _read(session, row, get_issue(session, row.sr_id), text)


def _read(session: Session, row: Question, issue: Issue, text: str) -> ReadAnswer:
    found = question_words.read_answer(text, choices_of(row))
    if found.servers or found.unknown:
        return found
    return question_words.read_answer(text, _servers_in(session, issue, text))


def _servers_in(session: Session, issue: Issue, text: str) -> list[ServerChoice]:
    """Return the servers whose id or alias a text contains, of the issue's institution if known."""
    packed = func.regexp_replace(func.lower(text), r"[\s_.\-]", "", "g")
    alias = func.jsonb_array_elements_text(Server.aliases).table_valued("value").alias("alias")
    named = or_(
        _is_in(Server.server_id, packed),
        exists(select(1).select_from(alias).where(_is_in(alias.c.value, packed))),
    )
    query = select(Server).where(named).order_by(Server.server_id).limit(20)
    if issue.inst_id:
        query = query.where(Server.inst_id == issue.inst_id)
    rows = session.scalars(query).all()
    return [ServerChoice(s.server_id, s.server_id, tuple(s.aliases)) for s in rows]


def _is_in(
    name: ColumnElement[str] | InstrumentedAttribute[str], packed: ColumnElement[str]
) -> ColumnElement[bool]:
    """Return whether a name is in a text, both without blanks and hyphens."""
    squeezed = func.regexp_replace(func.lower(name), r"[\s_.\-]", "", "g")
    return and_(squeezed != "", func.strpos(packed, squeezed) > 0)


def _continue(
    session: Session,
    row: Question,
    issue: Issue,
    task: Task,
    servers: tuple[str, ...],
    by: Actor,
    now: datetime,
) -> str:
    """Let the dispatcher go on with the servers that the requester named."""
    row.state = "ANSWERED"
    issue.triage = {**issue.triage, "answered": list(servers)}
    names = ", ".join(servers)
    _wake_dispatcher(session, task, by, now)
    _log_answered(session, row, EntryKind.QUESTION_ANSWERED, names, by, now)
    return t("assignment.question.thanks", sr=issue.sr_id, servers=names)


def _ask_again(
    session: Session, row: Question, issue: Issue, task: Task, by: Actor, now: datetime
) -> str:
    row.round += 1
    row.due_at = task.run_after = now + _time_to_answer(session, issue)
    text = t("assignment.question.again", sr=issue.sr_id, text=row.text)
    _log_answered(session, row, EntryKind.QUESTION_UNCLEAR, row.answer, by, now)
    return text


def _give_up(
    session: Session, row: Question, task: Task, state: str, by: Actor, now: datetime
) -> str:
    """End a question without a server: the dispatcher hands the request to people."""
    row.state = state
    _wake_dispatcher(session, task, by, now)
    _log_answered(session, row, EntryKind.QUESTION_ENDED, row.answer, by, now)
    return t("assignment.question.to_person", sr=row.sr_id)


def _wake_dispatcher(session: Session, task: Task, by: Actor, now: datetime) -> None:
    task.run_after = None
    session.flush()
    dispatcher = task.agent_id or registry.dispatcher(session)
    if dispatcher:
        cause = {"task": task.task_id}
        wake(session, dispatcher, WakeReason.ASSIGNMENT, now, task.sr_id, cause=cause, by=by)


def _lock(session: Session, number: int) -> tuple[Question, Issue, Task]:
    known = session.get(Question, number)
    if known is None:
        raise NotFound(what=t("assignment.question.none"))
    task = lock_task(session, known.task_id)
    lock_issues(session, [known.sr_id])
    row = session.get_one(Question, number, with_for_update=True, populate_existing=True)
    issue = get_issue(session, known.sr_id)
    if row.state != "OPEN" or task.status != State.RECEIVED:
        raise Stale(what=issue.ref)
    return row, issue, task


@repeat_on_conflict
def end_due(board: BoardContext, number: int) -> bool:
    """End a question that was not answered in time, or whose request went on without it."""
    now = board.clock()
    with board.database.transaction() as session:
        known = session.get(Question, number)
        if known is None:
            return False
        task = lock_task(session, known.task_id)
        row = session.get_one(Question, number, with_for_update=True, populate_existing=True)
        if row.state != "OPEN":
            return False
        if task.status != State.RECEIVED:
            row.state, row.answered_by, row.answered_at = "WITHDRAWN", str(_CLOCK), now
            return True
        if row.due_at > now:
            return False
        row.answered_by, row.answered_at = str(_CLOCK), now
        text = _give_up(session, row, task, "UNANSWERED", _CLOCK, now)
        reply_to_room(session, get_issue(session, row.sr_id), text, now)
        return True


def may_answer(session: Session, row: Question, channel: str, account: str) -> Actor | None:
    """Return who answers from a channel: the requester's account, or linked staff; else `None`."""
    person = identity.person_of_account(session, channel, account)
    if row.account is not None and row.account == f"{channel}:{account}":
        return Actor.of(person.as_info()) if person else Actor.channel(channel)
    if person is None or not person.active:
        return None
    info = person.as_info()
    issue = get_issue(session, row.sr_id)
    own = issue.requester_id == info.id
    staff = info.role != "customer" and is_allowed(info, "issue.comment")
    return Actor.of(info) if own or staff else None


def _log_answered(
    session: Session, row: Question, kind: EntryKind, text: str, by: Actor, now: datetime
) -> None:
    session.flush()
    log.append(
        session,
        kind,
        actor=str(by),
        now=now,
        sr_id=row.sr_id,
        task_id=row.task_id,
        detail={"question": row.question_id, "answer": row.answer, "state": row.state},
        text=text or "-",
    )
