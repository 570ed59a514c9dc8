"""Open issues from service requests."""

from __future__ import annotations

from dataclasses import field
from datetime import date, datetime
from typing import Any

from pydantic.dataclasses import dataclass
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.labels import log_label
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Issue, Task
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import wake
from guardia.board.issues import references
from guardia.board.issues.system_model import IssueSystem
from guardia.db.engine import repeat_on_conflict
from guardia.db.entities import Insertion
from guardia.errors import Missing
from guardia.i18n import t
from guardia.org import identity, registry
from guardia.text import MAX_BODY, MAX_TITLE, CleanObject, CleanStr, first_line, trim

_NEW_ISSUE, _NEW_TASK = Insertion(Issue), Insertion(Task)
_TITLE = 80
"""Characters of a title that is the first line of the text."""


@dataclass(frozen=True, slots=True)
class NewIssue:
    """An issue to open: a request of a channel, a goal or a part of one. Cleans its texts."""

    text: CleanStr
    channel: str
    sender: CleanStr
    title: CleanStr = ""
    room: CleanStr = ""
    thread: CleanStr = ""
    """The channel's own key of the conversation in the room, under which it replies."""
    requester_id: str | None = None
    institution: str | None = None
    account: CleanStr = ""
    """The channel's own id of the sender, if it has one."""
    external_id: CleanStr | None = None
    """The channel's own id of the message, so that a repeated delivery opens only one issue."""
    kind: str | None = None
    category: str | None = None
    priority: str | None = None
    """Category and priority known before triage, which keeps them."""
    talk: tuple[CleanStr, ...] = ()
    """Lines of the conversation around it; they may name a server that the request does not."""
    origin: CleanObject = field(default_factory=dict)
    """Further details of its origin for the audit log."""
    agent_id: str | None = None
    engineer_id: str | None = None
    triage: CleanObject = field(default_factory=dict)
    """The result of a triage that came before it."""
    starts_at: datetime | None = None
    """When its work may begin; it is planned and approved before."""
    parent_id: int | None = None
    goal_id: int | None = None
    due_on: date | None = None
    server: str | None = None
    """The server for which it is opened; triage decides, from this among others."""

    @property
    def dedupe_key(self) -> str | None:
        """Name of the delivery, or `None` if its channel has no id of it."""
        return f"{self.channel}:{self.external_id}" if self.external_id else None


def open_issue(session: Session, new_issue: NewIssue, now: datetime) -> Issue:
    """Add an issue's row: the only place that makes one. Raises `Missing` if it has no text."""
    body = trim(new_issue.text, MAX_BODY)
    if not body:
        raise Missing(what=t("web.form.body"))
    title = trim(new_issue.title, MAX_TITLE) or first_line(body)[:_TITLE]
    account = new_issue.account
    known = identity.person_of_account(session, new_issue.channel, account)
    more: dict[str, Any] = {"talk": list(new_issue.talk)} if new_issue.talk else {}
    if new_issue.starts_at:
        more["starts_at"] = new_issue.starts_at.isoformat()
    issue = Issue(
        title=title,
        body=body,
        status=State.RECEIVED.value,
        kind=new_issue.kind,
        category=new_issue.category,
        priority=new_issue.priority,
        inst_id=new_issue.institution or (known.inst_id if known else None),
        requester_id=new_issue.requester_id or (known.person_id if known else None),
        requester_account=f"{new_issue.channel}:{account}" if account else None,
        requester_name=new_issue.sender,
        channel=new_issue.channel,
        room=new_issue.room,
        thread=new_issue.thread,
        dedupe_key=new_issue.dedupe_key,
        agent_id=new_issue.agent_id,
        assignee_id=new_issue.engineer_id,
        triage={**new_issue.triage, **more},
        parent_id=new_issue.parent_id,
        goal_id=new_issue.goal_id,
        due_on=new_issue.due_on,
        created_at=now,
        updated_at=now,
    )
    _NEW_ISSUE.store(session, issue)
    if new_issue.server:
        session.add(IssueSystem(sr_id=issue.sr_id, server_id=new_issue.server))
    references.note(session, issue.sr_id, f"{issue.title}\n{issue.body}", now)
    return issue


def open_task(
    session: Session,
    sr_id: int,
    now: datetime,
    *,
    state: State = State.RECEIVED,
    server: str | None = None,
    agent_id: str | None = None,
    engineer_id: str | None = None,
    action_type: str | None = None,
) -> Task:
    """Add a task's row to an issue: the only place that makes one."""
    task = Task(
        sr_id=sr_id,
        status=state.value,
        target_server=server,
        agent_id=agent_id,
        owner_id=engineer_id,
        action_type=action_type,
        created_at=now,
        updated_at=now,
    )
    return _NEW_TASK.store(session, task)


@repeat_on_conflict
def receive_issue(board: BoardContext, new_issue: NewIssue) -> int:
    """Open an issue with its task (RECEIVED) and wake the dispatcher; returns its number.

    A repeated delivery returns the number of the first one.
    """
    with board.database.transaction() as session:
        return receive_within(session, new_issue, board.clock())


def receive_within(
    session: Session, new_issue: NewIssue, now: datetime, *, for_people: bool = False
) -> int:
    """`receive_issue` inside a larger transaction, which it ends: it writes to the audit log.

    With `for_people` no agent is woken: the caller gives it to people.
    """
    dedupe = new_issue.dedupe_key
    if dedupe and (earlier := find_duplicate(session, dedupe)):
        return earlier
    issue = open_issue(session, new_issue, now)
    dispatcher = None if for_people else registry.dispatcher(session)
    task = open_task(session, issue.sr_id, now, agent_id=dispatcher)
    if dispatcher:
        cause = {"task": task.task_id}
        wake(session, dispatcher, WakeReason.ASSIGNMENT, now, issue.sr_id, cause=cause)
    log.append(
        session,
        EntryKind.RECEIVED,
        actor=str(Actor.channel(new_issue.channel)),
        now=now,
        sr_id=issue.sr_id,
        task_id=task.task_id,
        detail={
            "title": issue.title,
            "body": issue.body,
            "sender": new_issue.sender,
            "requester": issue.requester_id,
            "account": issue.requester_account,
            **new_issue.origin,
        },
        sr=issue.sr_id,
        channel=log_label("web.channel", new_issue.channel),
        who=new_issue.sender,
    )
    return issue.sr_id


def find_duplicate(session: Session, dedupe: str) -> int | None:
    """Return the issue that an earlier delivery with this key opened, or `None`."""
    # Concurrent deliveries wait here, so that the second one sees the issue of the first.
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(dedupe, 0))))
    return session.scalar(select(Issue.sr_id).where(Issue.dedupe_key == dedupe))
