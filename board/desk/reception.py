"""Taking things in: chat lines, service requests, comments."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board import audit
from guardia.board.chain import clean
from guardia.board.desk.core import Desk, issue_of, wake
from guardia.board.lifecycle import State
from guardia.board.mention import mentioned
from guardia.board.model import ChatMessage, Comment, Issue, Task
from guardia.board.reasons import Reason
from guardia.board.wording import recorded
from guardia.errors import Invalid
from guardia.org import identity, registry

_TITLE = 80
_BODY = 20_000
_EXCERPT = 500


@dataclass(frozen=True, slots=True)
class Request:
    """A service request as a channel received it; ``text`` is untrusted."""

    text: str
    channel: str
    sender: str
    title: str = ""
    room: str = ""
    requester_id: str | None = None
    institution: str | None = None
    account: str = ""
    """The channel's own id of the sender, where it has one."""
    external_id: str | None = None
    """The channel's own id of the message, so that a repeated delivery opens nothing twice."""
    category: str | None = None
    priority: str | None = None
    """What is known of it before triage, which keeps to that."""
    talk: tuple[str, ...] = ()
    """What was said around it; it may name what the request itself does not."""
    origin: dict[str, Any] = field(default_factory=dict)
    """What else the record says of where it came from."""


def receive(desk: Desk, request: Request) -> int:
    """Open an issue with its task (RECEIVED) and wake the dispatcher; returns its number.

    A repeated delivery returns the number that the first one got.
    """
    with desk.database.transaction() as session:
        return received(session, request, desk.clock())


def hear(desk: Desk, request: Request, *, rule: str | None = None) -> int | None:
    """Log a line of a messenger room; opens an issue when ``rule`` fired. Repeats are dropped."""
    now = desk.clock()
    with desk.database.transaction() as session:
        known = log_line(session, request, rule, now)
        line = logged(session, request) if known is None else session.get(ChatMessage, known)
        if rule is not None and line is not None and line.sr_id is None:
            # Also where it came as mere talk before: one post may reach us by two webhooks.
            line.sr_id, line.rule = received(session, request, now), rule
        return line.sr_id if line is not None else None


def logged(session: Session, request: Request) -> ChatMessage | None:
    """The line that an earlier delivery has left, locked."""
    return session.scalar(
        select(ChatMessage)
        .where(
            ChatMessage.channel == request.channel, ChatMessage.external_id == request.external_id
        )
        .with_for_update()
    )


def log_line(
    session: Session, request: Request, rule: str | None, now: datetime, *, text: str | None = None
) -> int | None:
    """Keep a line of a room; ``None`` where it has been delivered before.

    ``text`` is kept instead where what was said is not for everyone's eyes.
    """
    return session.scalar(
        insert(ChatMessage)
        .values(
            channel=request.channel,
            external_id=request.external_id,
            room=clean(request.room),
            sender=clean(request.sender),
            account=clean(request.account),
            text=clean(request.text if text is None else text)[:_BODY],
            rule=rule,
            created_at=now,
        )
        .on_conflict_do_nothing()
        .returning(ChatMessage.message_id)
    )


def comment(desk: Desk, sr_id: int, author: str, body: str) -> None:
    """Add a note to an issue."""
    text = clean(body).strip()[:_BODY]
    if not text:
        raise Invalid(what="comment", why="empty")
    now = desk.clock()
    with desk.database.transaction() as session:
        note(session, sr_id, author, text, now)


def note(
    session: Session, sr_id: int, author: str, text: str, now: datetime, *, calls: bool = True
) -> None:
    """A comment inside a larger transaction; wakes the agents that it mentions if it ``calls``."""
    issue = issue_of(session, sr_id)
    issue.updated_at = now
    row = Comment(sr_id=sr_id, author=author, body=clean(text), created_at=now)
    session.add(row)
    session.flush()
    if calls and "@" in row.body:
        _call(session, row, now)
    audit.append(
        session,
        "comment",
        actor=author,
        now=now,
        sr_id=sr_id,
        detail={"body": text},
        text=text[:_EXCERPT],
    )


def _call(session: Session, row: Comment, now: datetime) -> None:
    """Wake the agents that a comment mentions; its author never."""
    cause = {"comment": row.comment_id}
    for agent in mentioned(row.body, registry.agent_names(session)):
        wake(session, agent, Reason.MENTION, now, row.sr_id, cause=cause, by=row.author)


def received(session: Session, request: Request, now: datetime) -> int:
    """``receive`` inside a larger transaction, which it ends: it writes to the record."""
    body = clean(request.text).strip()[:_BODY]
    if not body:
        raise Invalid(what="request", why="empty")
    dedupe = f"{request.channel}:{request.external_id}" if request.external_id else None
    if dedupe and (earlier := already_received(session, dedupe)):
        return earlier
    title = clean(request.title).strip() or body.splitlines()[0]
    account = clean(request.account)
    known = identity.holder(session, request.channel, account)
    issue = Issue(
        title=title[:_TITLE],
        body=body,
        status=State.RECEIVED.value,
        category=request.category,
        priority=request.priority,
        inst_id=request.institution or (known.inst_id if known else None),
        requester_id=request.requester_id or (known.person_id if known else None),
        requester_account=f"{request.channel}:{account}" if account else None,
        requester_name=clean(request.sender),
        triage={"talk": list(request.talk)} if request.talk else {},
        channel=request.channel,
        room=clean(request.room),
        dedupe_key=dedupe,
        created_at=now,
        updated_at=now,
    )
    session.add(issue)
    session.flush()
    dispatcher = registry.dispatcher(session)
    task = Task(
        sr_id=issue.sr_id,
        status=State.RECEIVED.value,
        agent_id=dispatcher,
        created_at=now,
        updated_at=now,
    )
    session.add(task)
    session.flush()
    if dispatcher:
        cause = {"task": task.task_id}
        wake(session, dispatcher, Reason.ASSIGNMENT, now, issue.sr_id, cause=cause)
    audit.append(
        session,
        "received",
        actor=f"channel:{request.channel}",
        now=now,
        sr_id=issue.sr_id,
        task_id=task.task_id,
        detail={
            "title": issue.title,
            "body": body,
            "sender": request.sender,
            "requester": issue.requester_id,
            "account": issue.requester_account,
            **request.origin,
        },
        sr=issue.sr_id,
        channel=recorded("web.channel", request.channel),
        who=request.sender,
    )
    return issue.sr_id


def already_received(session: Session, dedupe: str) -> int | None:
    """The issue that a delivery of this key has opened before, or ``None``."""
    # Two deliveries at once queue up here, so that the second one sees the first one's issue.
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(dedupe, 0))))
    return session.scalar(select(Issue.sr_id).where(Issue.dedupe_key == dedupe))
