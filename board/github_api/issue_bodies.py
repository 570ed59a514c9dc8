"""Issues as GitHub's clients read them; everything for a page of issues in a few queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardia.board.core.actors import Actor
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.lifecycle import OPEN_STATES, State
from guardia.board.core.model import Comment, Directive, Issue, Task
from guardia.board.github_api import repositories
from guardia.board.github_api.addresses import Addresses
from guardia.board.github_api.people import Users, users_of
from guardia.board.github_api.reaction_bodies import ReactionNumbers, counts, numbers_of
from guardia.board.github_api.repositories import Repository
from guardia.board.github_api.shapes import BoardFields, IssueBody, LabelBody
from guardia.board.issues.labels import LabelView
from guardia.board.issues.model import IssueLabel, IssueLock, Label
from guardia.board.issues.view import comments_visible_to
from guardia.org.directory import PersonInfo

NOT_PLANNED = (State.REJECTED, State.ABORTED, State.ROLLED_BACK, State.FAILED_ROLLBACK)
_Rows = Sequence[Issue]


@dataclass(frozen=True, slots=True)
class _Around:
    """What is read beside the rows of issues."""

    users: Users
    viewer: PersonInfo
    servers: Mapping[int, list[str]]
    comments: Mapping[int, int]
    labels: Mapping[int, list[Label]]
    locks: Mapping[int, str]
    reopened: frozenset[int] = frozenset()
    reactions: ReactionNumbers = field(default_factory=dict)


def issue_bodies(
    session: Session,
    viewer: PersonInfo,
    addresses: Addresses,
    found: _Rows,
    repository: Repository | None = None,
) -> list[IssueBody]:
    """Return issues as bodies, under the repository that was asked for or their own."""
    if not found:
        return []
    around = _read(session, viewer, addresses, found)
    return [
        _body(row, repository or repositories.of_issue(row.inst_id), addresses, around)
        for row in found
    ]


def label_body(addresses: Addresses, repository: Repository, label: Label | LabelView) -> LabelBody:
    """Return a label as a body."""
    return LabelBody(
        id=label.label_id,
        node_id=f"label:{label.label_id}",
        url=addresses.label(repository, label.name),
        name=label.name,
        color=label.color,
        description=label.description or None,
    )


def state_reason(status: State, *, reopened: bool) -> str | None:
    """Return why an issue is in its state, in GitHub's words."""
    if status in OPEN_STATES:
        return "reopened" if reopened else None
    return "not_planned" if status in NOT_PLANNED else "completed"


def labels_by_issue(session: Session, numbers: Iterable[int]) -> dict[int, list[Label]]:
    """Return the labels of issues, by name."""
    query = (
        select(IssueLabel.sr_id, Label)
        .join(Label, Label.label_id == IssueLabel.label_id)
        .where(IssueLabel.sr_id.in_(numbers))
        .order_by(Label.match_key)
    )
    found = defaultdict[int, list[Label]](list)
    for number, label in session.execute(query):
        found[number].append(label)
    return found


def _read(session: Session, viewer: PersonInfo, addresses: Addresses, found: _Rows) -> _Around:
    numbers = [row.sr_id for row in found]
    people = {row.requester_id for row in found} | {row.assignee_id for row in found}
    actors = [str(Actor.person(p)) for p in people if p]
    locks = session.execute(
        select(IssueLock.sr_id, IssueLock.reason).where(IssueLock.sr_id.in_(numbers))
    )
    reopened = select(Directive.sr_id).where(
        Directive.sr_id.in_(numbers), Directive.verb == "reopen"
    )
    return _Around(
        users=users_of(session, addresses, actors),
        viewer=viewer,
        servers=_servers(session, numbers),
        comments=_comment_numbers(session, viewer, numbers),
        labels=labels_by_issue(session, numbers),
        locks=dict(locks.all()),
        reopened=frozenset(session.scalars(reopened)),
        reactions=numbers_of(session, numbers),
    )


def _servers(session: Session, numbers: list[int]) -> dict[int, list[str]]:
    query = (
        select(Task.sr_id, Task.target_server)
        .where(Task.sr_id.in_(numbers), Task.target_server.is_not(None))
        .order_by(Task.task_id)
    )
    found = defaultdict[int, list[str]](list)
    for number, server in session.execute(query):
        if server and server not in found[number]:
            found[number].append(server)
    return found


def _comment_numbers(session: Session, viewer: PersonInfo, numbers: list[int]) -> dict[int, int]:
    query = (
        select(Comment.sr_id, func.count())
        .where(Comment.sr_id.in_(numbers), *comments_visible_to(viewer))
        .group_by(Comment.sr_id)
    )
    return dict(session.execute(query).all())


def _body(row: Issue, repository: Repository, addresses: Addresses, around: _Around) -> IssueBody:
    status, number = State(row.status), row.sr_id
    url = addresses.issue(repository, number)
    assignee = around.users.person(row.assignee_id) if row.assignee_id else None
    return IssueBody(
        id=number,
        node_id=issue_ref(number),
        number=number,
        url=url,
        html_url=addresses.page(f"/issues/{number}"),
        repository_url=addresses.repository(repository),
        labels_url=f"{url}/labels{{/name}}",
        comments_url=f"{url}/comments",
        events_url=f"{url}/events",
        timeline_url=f"{url}/timeline",
        title=row.title,
        body=row.body,
        user=around.users.person(row.requester_id, row.requester_name),
        labels=[label_body(addresses, repository, one) for one in around.labels.get(number, ())],
        state="open" if status in OPEN_STATES else "closed",
        state_reason=state_reason(status, reopened=number in around.reopened),
        assignee=assignee,
        assignees=[assignee] if assignee else [],
        locked=number in around.locks,
        active_lock_reason=around.locks.get(number) or None,
        comments=around.comments.get(number, 0),
        created_at=row.created_at,
        updated_at=row.updated_at,
        closed_at=row.closed_at,
        author_association=association(around.viewer, row),
        reactions=counts(around.reactions, (number, None), f"{url}/reactions"),
        guardia=_board_fields(row, around),
    )


def _board_fields(row: Issue, around: _Around) -> BoardFields:
    is_staff = around.viewer.role != "customer"
    return BoardFields(
        ref=row.ref,
        status=row.status,
        kind=row.kind,
        category=row.category,
        priority=row.priority,
        institution=row.inst_id,
        servers=around.servers.get(row.sr_id, []),
        agent=row.agent_id if is_staff else None,
        due_on=row.due_on.isoformat() if row.due_on else None,
        parent=row.parent_id if is_staff else None,
    )


def association(viewer: PersonInfo, row: Issue) -> str:
    """Return what the author of an issue is to the repository, in GitHub's words."""
    if row.requester_id is None:
        return "NONE"
    return "OWNER" if row.requester_id == viewer.id else "MEMBER"
