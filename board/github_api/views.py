"""Read repositories, issues, comments and users for GitHub's clients, as far as they may see."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardia.board.audit.model import AuditEntry
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import OPEN_STATES
from guardia.board.core.model import Comment, Issue
from guardia.board.github_api import issue_query, repositories
from guardia.board.github_api.addresses import Addresses
from guardia.board.github_api.events import ENDING_KINDS, is_closing
from guardia.board.github_api.issue_bodies import issue_bodies
from guardia.board.github_api.issue_query import FoundIssues, IssueListFilter
from guardia.board.github_api.paging import MOST, PageRequest
from guardia.board.github_api.people import Users, find_actor, number_of, users_of
from guardia.board.github_api.reaction_bodies import ReactionNumbers, counts, numbers_of
from guardia.board.github_api.repositories import Repository
from guardia.board.github_api.shapes import (
    CommentBody,
    IssueBody,
    RepositoryBody,
    RepositoryPermissions,
    User,
)
from guardia.board.issues import view as issue_view
from guardia.board.issues import visibility
from guardia.errors import NotFound
from guardia.org.access import is_allowed, require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import Person

_LATEST = 20
"""Entries among which the last end of an issue is looked for."""
_OPEN = sorted(state.value for state in OPEN_STATES)


# --- Repositories -------------------------------------------------------------------------------


def repository_bodies(
    board: BoardContext, viewer: PersonInfo, addresses: Addresses, found: Iterable[Repository]
) -> list[RepositoryBody]:
    """Return repositories as bodies."""
    with board.database.reading() as session:
        return [repository_body(session, viewer, addresses, one) for one in found]


def repository_body(
    session: Session, viewer: PersonInfo, addresses: Addresses, found: Repository
) -> RepositoryBody:
    """Return a repository as a body, with the number of its open issues up to a bound."""
    query = select(Issue).where(
        visibility.visible_to(viewer), found.condition(), Issue.status.in_(_OPEN)
    )
    total = issue_query.count(session, query)
    url, may_write = addresses.repository(found), is_allowed(viewer, "issue.create")
    may_sort = is_allowed(viewer, "issue.assign")
    return RepositoryBody(
        id=number_of(found.full_name),
        node_id=found.full_name,
        name=found.name,
        full_name=found.full_name,
        owner=_owner(addresses, found),
        html_url=addresses.page("/issues"),
        description=found.title or None,
        url=url,
        issues_url=f"{url}/issues{{/number}}",
        labels_url=f"{url}/labels{{/name}}",
        open_issues=MOST if total is None else total,
        open_issues_count=MOST if total is None else total,
        permissions=RepositoryPermissions(
            admin=viewer.role == "admin",
            maintain=viewer.role == "admin",
            push=may_write,
            triage=may_sort,
            pull=True,
        ),
    )


def _owner(addresses: Addresses, found: Repository) -> User:
    url = addresses.user(found.owner)
    return User(
        login=found.owner,
        id=number_of(f"institution:{found.owner}"),
        node_id=f"institution:{found.owner}",
        avatar_url=addresses.page("/static/icon.svg"),
        url=url,
        html_url=url,
        type="Organization",
        name=found.title or found.owner,
    )


# --- Issues -------------------------------------------------------------------------------------


def list_issues(
    board: BoardContext,
    viewer: PersonInfo,
    addresses: Addresses,
    repository: Repository,
    wanted: IssueListFilter,
    page: PageRequest,
    *,
    named: bool = True,
) -> tuple[list[IssueBody], FoundIssues]:
    """Return one page of issues; unless `named`, each under a repository of its own."""
    conditions = issue_query.conditions(wanted, viewer)
    query = select(Issue).where(visibility.visible_to(viewer), repository.condition(), *conditions)
    with board.database.reading() as session:
        found = issue_query.find(session, query, wanted, page)
        shown = repository if named else None
        return issue_bodies(session, viewer, addresses, found.rows, shown), found


def get_issue(
    board: BoardContext,
    viewer: PersonInfo,
    addresses: Addresses,
    repository: Repository,
    sr_id: int,
) -> IssueBody:
    """Return an issue of a repository. Raises `NotFound` if the viewer may not see it."""
    query = select(Issue).where(
        Issue.sr_id == sr_id, visibility.visible_to(viewer), repository.condition()
    )
    with board.database.reading() as session:
        found = session.scalars(query).all()
        if not found:
            raise NotFound(what=f"{repository.full_name}#{sr_id}")
        body = issue_bodies(session, viewer, addresses, found, repository)[0]
        if body.closed_at is not None:
            body.closed_by = _closed_by(session, addresses, sr_id)
        return body


def _closed_by(session: Session, addresses: Addresses, sr_id: int) -> User | None:
    """Return who ended the work on an issue last."""
    query = (
        select(AuditEntry.kind, AuditEntry.actor, AuditEntry.detail)
        .where(AuditEntry.sr_id == sr_id, AuditEntry.kind.in_(ENDING_KINDS))
        .order_by(AuditEntry.seq.desc())
        .limit(_LATEST)
    )
    for row in session.execute(query):
        if is_closing(row.kind, row.detail):
            return users_of(session, addresses, [row.actor]).user(row.actor)
    return None


# --- Comments -----------------------------------------------------------------------------------


def list_comments(
    board: BoardContext,
    viewer: PersonInfo,
    addresses: Addresses,
    repository: Repository,
    sr_id: int,
    page: PageRequest,
) -> tuple[list[CommentBody], int]:
    """Return one page of an issue's comments, oldest first, and how many there are in all."""
    page.require_reachable()
    conditions = [Comment.sr_id == sr_id, *issue_view.comments_visible_to(viewer)]
    query = select(Comment).where(*conditions).order_by(Comment.comment_id)
    with board.database.reading() as session:
        visibility.find_issue(session, viewer, sr_id)
        total = session.scalar(select(func.count()).select_from(Comment).where(*conditions)) or 0
        rows = session.scalars(query.offset(page.offset).limit(page.size)).all()
        return comment_bodies(session, addresses, repository, rows), total


def get_comment(
    board: BoardContext,
    viewer: PersonInfo,
    addresses: Addresses,
    repository: Repository,
    comment_id: int,
) -> tuple[CommentBody, int]:
    """Return a comment in a repository, and the number of its issue."""
    with board.database.reading() as session:
        row = issue_view.find_comment(session, viewer, comment_id)
        in_it = select(Issue.sr_id).where(Issue.sr_id == row.sr_id, repository.condition())
        if session.scalar(in_it) is None:
            raise NotFound(what=f"{repository.full_name}#{comment_id}")
        return comment_bodies(session, addresses, repository, [row])[0], row.sr_id


def comment_bodies(
    session: Session, addresses: Addresses, repository: Repository, rows: Iterable[Comment]
) -> list[CommentBody]:
    """Return comments as bodies."""
    found = list(rows)
    users = users_of(session, addresses, [row.author for row in found])
    reactions: ReactionNumbers = numbers_of(session, {row.sr_id for row in found})
    bodies = []
    for row in found:
        url = addresses.comment(repository, row.comment_id)
        bodies.append(
            CommentBody(
                id=row.comment_id,
                node_id=f"comment:{row.comment_id}",
                url=url,
                html_url=addresses.page(f"/issues/{row.sr_id}?at=comment-{row.comment_id}"),
                issue_url=addresses.issue(repository, row.sr_id),
                body=row.body,
                user=users.user(row.author),
                created_at=row.created_at,
                updated_at=row.edited_at or row.created_at,
                author_association="MEMBER",
                reactions=counts(reactions, (row.sr_id, row.comment_id), f"{url}/reactions"),
            )
        )
    return bodies


# --- Users --------------------------------------------------------------------------------------


def get_user(board: BoardContext, viewer: PersonInfo, addresses: Addresses, login: str) -> User:
    """Return a person or an agent by login. Raises `NotFound` if the viewer may not know them."""
    with board.database.reading() as session:
        actor = find_actor(session, viewer, login)
        if actor is None:
            raise NotFound(what=login)
        return users_of(session, addresses, [actor]).user(actor)


def me(viewer: PersonInfo, addresses: Addresses) -> User:
    """Return the caller."""
    actor = str(Actor.of(viewer))
    return Users(addresses, {actor: f"{viewer.name} {viewer.title}".strip()}).user(actor)


def owner_repositories(board: BoardContext, viewer: PersonInfo, owner: str) -> list[Repository]:
    """Return the repositories of an institution. Raises `NotFound` if none is visible."""
    found = [r for r in repositories.visible(board, viewer) if r.owner.lower() == owner.lower()]
    if not found:
        raise NotFound(what=owner)
    return found


def assignable(board: BoardContext, viewer: PersonInfo, addresses: Addresses) -> list[User]:
    """Return the people to whom issues can be assigned. Raises `Forbidden` for customers."""
    require_permission(viewer, "queue.read")
    with board.database.reading() as session:
        query = select(Person).where(Person.active).order_by(Person.person_id)
        people = [row.as_info() for row in session.scalars(query)]
        able = [str(Actor.of(one)) for one in people if is_allowed(one, "issue.assign")]
        users = users_of(session, addresses, able)
        return [users.user(actor) for actor in able]
