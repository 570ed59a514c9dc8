"""Repositories: an institution (`MOF/all`), one of its servers (`MOF/MOF-DB-01`), or everything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, or_, select, true

from guardia.board.cmdb import view as cmdb_view
from guardia.board.core.context import BoardContext
from guardia.board.core.model import Issue, Task
from guardia.board.issues.system_model import IssueSystem
from guardia.errors import NotFound
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo
from guardia.text import matching_form

ALL = "all"
EVERYTHING = "guardia"
"""Owner of the repository with every issue that one may see, also those of no institution."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A place of issues. `institution` and `server` say which ones."""

    owner: str
    name: str
    institution: str | None = None
    server: str | None = None
    title: str = ""

    @property
    def full_name(self) -> str:
        """Owner and name, as GitHub writes them."""
        return f"{self.owner}/{self.name}"

    def condition(self) -> ColumnElement[bool]:
        """Return the condition for its issues; what a viewer may see is another one."""
        if self.server is not None:
            return issues_of_server(self.server)
        return true() if self.institution is None else Issue.inst_id == self.institution


def issues_of_server(server: str) -> ColumnElement[bool]:
    """Return the condition for issues with a task on a server, or opened for it."""
    with_task = select(Task.sr_id).where(Task.target_server == server)
    opened_for = select(IssueSystem.sr_id).where(IssueSystem.server_id == server)
    return or_(Issue.sr_id.in_(with_task), Issue.sr_id.in_(opened_for))


WHOLE = Repository(EVERYTHING, ALL, title="GUARDiA")


def of_institution(institution: str, title: str = "") -> Repository:
    """Return the repository with all issues of an institution."""
    return Repository(institution, ALL, institution, title=title)


def of_issue(institution: str | None) -> Repository:
    """Return the repository under which an issue is shown where no other is named."""
    return of_institution(institution) if institution else WHOLE


def find(board: BoardContext, viewer: PersonInfo, owner: str, name: str) -> Repository:
    """Return a repository; case does not matter. Raises `NotFound` if there is none to see."""
    wanted = matching_form(owner), matching_form(name)
    known = visible(board, viewer)
    found = next(
        (r for r in known if (matching_form(r.owner), matching_form(r.name)) == wanted), None
    )
    if found is None:
        raise NotFound(what=f"{owner}/{name}")
    return found


def visible(board: BoardContext, viewer: PersonInfo) -> Iterator[Repository]:
    """Yield the repositories of a viewer: servers are for staff, other institutions too."""
    if not is_allowed(viewer, "issue.read"):
        return
    yield WHOLE
    known = cmdb_view.systems(board)
    for institution in known.institutions:
        if viewer.role != "customer" or institution.id == viewer.institution:
            yield of_institution(institution.id, institution.name)
    if is_allowed(viewer, "server.read"):
        for server in known.servers:
            yield Repository(
                server.institution, server.server_id, server.institution, server.server_id
            )
