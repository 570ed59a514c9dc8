"""Requests, people and presses for the tests of who gets an issue."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from board_env import ENGINEER, LEAD, BoardEnv
from sqlalchemy import select

from guardia.board.accounts import messenger_links
from guardia.board.assignment.model import Proposal, Question, QueueEntry
from guardia.board.audit import log
from guardia.board.audit.model import AuditEntry
from guardia.board.core.actors import Actor
from guardia.board.core.choices import Choice, from_stored
from guardia.board.core.context import BoardContext
from guardia.board.core.model import Issue, OutboxEntry, Task
from guardia.board.issues.conversation import Press
from guardia.board.organization import chart
from guardia.org.directory import Directory, Host, InstitutionInfo, OwnerInfo, PersonInfo

SECOND = PersonInfo(id="eng2", name="박민수", title="과장", role="engineer", skills=("DB", "WAS"))
THIRD = PersonInfo(id="eng3", name="이영희", title="사원", role="engineer", skills=("DB",))
WAS_TWO = Host(
    server_id="MOF-WAS-02", institution="MOF", kind="WAS", aliases=("기재부 와스 2호기",)
)
WAS_ONE = Host(
    server_id="MOF-WAS-01", institution="MOF", kind="WAS", aliases=("기재부 와스 1호기",)
)
ROOM = {"channel": "mattermost", "room": "요청방", "thread": "t1", "account": "u-cus"}


def enrol(env: BoardEnv, *people: PersonInfo, owners: tuple[OwnerInfo, ...] = ()) -> None:
    """Add people and owners to the board."""
    names = Directory(people=people, owners=owners)
    chart.import_directory(env.board, names, {})


def enrol_servers(env: BoardEnv) -> None:
    """Give the institution two application servers."""
    institutions = (InstitutionInfo(id="MOF", name="기획재정부", aliases=("기재부",)),)
    names = Directory(institutions=institutions, servers=(WAS_ONE, WAS_TWO))
    chart.import_directory(env.board, names, {})


def link_account(env: BoardEnv, person: str, account: str) -> None:
    """Link a messenger account to a person."""
    messenger_links.link(env.board, Actor.operator("test"), person, "mattermost", account)


def later(env: BoardEnv, **time: float) -> BoardContext:
    """Return the board at a later time."""
    at = datetime.now(UTC) + timedelta(**time)
    return replace(env.board, clock=lambda: at)


def issue(env: BoardEnv, sr_id: int) -> Issue:
    with env.board.database.reading() as session:
        return session.get_one(Issue, sr_id)


def task(env: BoardEnv, sr_id: int) -> Task:
    with env.board.database.reading() as session:
        return session.scalars(select(Task).where(Task.sr_id == sr_id)).one()


def proposals(env: BoardEnv, sr_id: int) -> list[Proposal]:
    """Return the rows of an issue's assignment, the oldest first."""
    query = select(Proposal).where(Proposal.sr_id == sr_id).order_by(Proposal.proposal_id)
    with env.board.database.reading() as session:
        return list(session.scalars(query))


def states(env: BoardEnv, sr_id: int) -> list[tuple[str, str]]:
    """Return candidate and state of each row."""
    return [(row.candidate_id, row.state) for row in proposals(env, sr_id)]


def queued(env: BoardEnv, sr_id: int) -> QueueEntry | None:
    """Return the open queue entry of an issue."""
    query = select(QueueEntry).where(QueueEntry.sr_id == sr_id, QueueEntry.left_at.is_(None))
    with env.board.database.reading() as session:
        return session.scalars(query).one_or_none()


def question(env: BoardEnv, sr_id: int) -> Question | None:
    """Return the last question about an issue."""
    query = select(Question).where(Question.sr_id == sr_id).order_by(Question.question_id.desc())
    with env.board.database.reading() as session:
        return session.scalars(query.limit(1)).first()


def messages(env: BoardEnv, sr_id: int) -> list[tuple[str, tuple[Choice, ...]]]:
    """Return what was said in the conversation of an issue, with its buttons."""
    query = select(OutboxEntry).where(OutboxEntry.sr_id == sr_id).order_by(OutboxEntry.outbox_id)
    with env.board.database.reading() as session:
        return [(row.text, from_stored(row.choices)) for row in session.scalars(query)]


def kinds(env: BoardEnv, sr_id: int) -> list[str]:
    """Return the kinds of an issue's audit entries; the log must be intact."""
    query = select(AuditEntry.kind).where(AuditEntry.sr_id == sr_id).order_by(AuditEntry.seq)
    with env.board.database.reading() as session:
        assert log.verify_all(session).intact
        return list(session.scalars(query))


def press(choice: Choice, account: str = "u-cus") -> Press:
    """Return the press of a button in the room of the request."""
    return Press(
        channel="mattermost",
        account=account,
        sender="장하늘",
        room=ROOM["room"],
        thread=ROOM["thread"],
        act=choice.act,
        value=choice.value,
        board_url="http://board",
    )


PEOPLE = (LEAD, ENGINEER)
