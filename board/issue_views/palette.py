"""What the command palette finds: pages, issues, servers, people, views and actions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from sqlalchemy import Text, cast, or_, select
from sqlalchemy.orm import Session

from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref, parse_issue_ref
from guardia.board.core.model import Issue
from guardia.board.issue_views import saved_views
from guardia.board.issues.visibility import visible_to
from guardia.board.tracker import issue_list
from guardia.board.tracker.filter_terms import quoted
from guardia.board.tracker.issue_list import IssueQuery
from guardia.i18n import t
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo
from guardia.org.model import Institution, Person, Server
from guardia.text import fold

MOST = 6
"""Entries of one group."""


@dataclass(frozen=True, slots=True)
class PaletteEntry:
    """Something to open."""

    group: str
    label: str
    address: str
    detail: str = ""


_ACTIONS = (
    ("new", "/issues/new", "issue.create"),
    ("mine", "/issues?q=assignee%3A%40me+is%3Aopen", "issue.assign"),
    ("board", "/issues/board", "issue.read"),
    ("views", "/issues/views", "issue.read"),
    ("stop", "/control", "control.kill"),
    ("account", "/account", "session.end"),
)


def find_entries(
    board: BoardContext, viewer: PersonInfo, words: str, pages: Iterable[tuple[str, str]]
) -> list[PaletteEntry]:
    """Return what a person may open under these words; pages and actions without any.

    `pages` are titles and addresses of the navigation that the person sees.
    """
    given = fold(words).strip()
    found = [*_issue_by_number(board, viewer, given), *_pages(pages, given)]
    found += [*_actions(viewer, given), *_views(board, viewer, given)]
    if given:
        with board.database.reading() as session:
            found += [*_servers(session, viewer, given), *_people(session, viewer, given)]
        found += _issues(board, viewer, given)
    return found


def _matches(words: str, *names: str) -> bool:
    low = words.casefold()
    return any(low in name.casefold() for name in names)


def _issue_by_number(board: BoardContext, viewer: PersonInfo, words: str) -> Iterator[PaletteEntry]:
    number = parse_issue_ref(words) if words else None
    if number is None:
        return
    query = select(Issue.title).where(Issue.sr_id == number, visible_to(viewer))
    with board.database.reading() as session:
        title = session.scalar(query)
    if title is not None:
        yield PaletteEntry("issue", f"{issue_ref(number)} {title}", f"/issues/{number}")


def _pages(pages: Iterable[tuple[str, str]], words: str) -> Iterator[PaletteEntry]:
    for title, address in pages:
        if _matches(words, title, address):
            yield PaletteEntry("page", title, address)


def _actions(viewer: PersonInfo, words: str) -> Iterator[PaletteEntry]:
    for name, address, action in _ACTIONS:
        label = t(f"issues.palette.action.{name}")
        if is_allowed(viewer, action) and _matches(words, label):
            yield PaletteEntry("action", label, address)


def _views(board: BoardContext, viewer: PersonInfo, words: str) -> list[PaletteEntry]:
    found = [one for one in saved_views.views_of(board, viewer) if _matches(words, one.name)]
    return [
        PaletteEntry("view", one.name, f"/issues?view={one.view_id}", one.team)
        for one in found[:MOST]
    ]


def _servers(session: Session, viewer: PersonInfo, words: str) -> Iterator[PaletteEntry]:
    if not is_allowed(viewer, "server.read"):
        return
    query = (
        select(Server.server_id, Institution.inst_name)
        .join(Institution, Institution.inst_id == Server.inst_id)
        .where(
            or_(
                Server.server_id.icontains(words, autoescape=True),
                cast(Server.aliases, Text).icontains(words, autoescape=True),
                Institution.inst_name.icontains(words, autoescape=True),
            )
        )
        .order_by(Server.server_id)
    )
    for server, place in session.execute(query.limit(MOST)):
        yield PaletteEntry("server", server, f"/servers/{quote(server, safe='')}", place)


def _people(session: Session, viewer: PersonInfo, words: str) -> Iterator[PaletteEntry]:
    if viewer.role == "customer":
        return
    query = select(Person.person_id, Person.name, Person.title).where(
        Person.active,
        or_(
            Person.person_id.istartswith(words, autoescape=True),
            Person.name.icontains(words, autoescape=True),
        ),
    )
    for number, name, title in session.execute(query.order_by(Person.name).limit(MOST)):
        address = "/issues?" + urlencode({"q": f"assignee:{quoted(number)} is:open"})
        yield PaletteEntry("person", f"{name} {title}".strip(), address, number)


def _issues(board: BoardContext, viewer: PersonInfo, words: str) -> list[PaletteEntry]:
    quotes = words.replace('"', " ")
    query = IssueQuery("all", f'"{quotes}"', size=MOST)
    rows = issue_list.list_issues(board, viewer, query).rows
    return [
        PaletteEntry(
            "issue",
            f"{issue_ref(row.sr_id)} {row.title}",
            f"/issues/{row.sr_id}",
            t(f"state.{row.status}"),
        )
        for row in rows
        if parse_issue_ref(words) != row.sr_id
    ]
