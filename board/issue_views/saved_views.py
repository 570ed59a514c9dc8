"""Saved views of the issue list: a person's own ones, and those of the teams the person is in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Select, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.issue_views.columns import chosen_columns
from guardia.board.issue_views.model import DefaultView, ListView
from guardia.board.tracker.filter_terms import quoted
from guardia.board.tracker.issue_filters import read_filter
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, Missing, NotFound, Refused
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import Team, TeamMember
from guardia.text import trim

MAX_NAME = 40
MAX_WORDS = 500
MOST = 50
"""Views of one owner."""
_ACTION = "issue.read"


@dataclass(frozen=True, slots=True)
class SavedView:
    """A view as its reader sees it."""

    view_id: int
    name: str
    words: str
    columns: tuple[str, ...]
    team: str = ""
    """Name of the team that shares it; empty if it is the reader's own."""
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class NewView:
    """What a person saves as a view."""

    name: str
    words: str = ""
    columns: tuple[str, ...] = ()
    team: str = ""
    """Id of the team that gets it."""


def views_of(board: BoardContext, person: PersonInfo) -> tuple[SavedView, ...]:
    """Return the views that a person has, the own ones first."""
    with board.database.reading() as session:
        default = session.scalar(_default(person))
        query = _readable(person).order_by(ListView.owner, ListView.place, ListView.view_id)
        return tuple(_as_view(row, team, default) for row, team in session.execute(query))


def get_view(board: BoardContext, person: PersonInfo, view_id: int) -> SavedView:
    """Return a view. Raises `NotFound` if the person has no such one."""
    with board.database.reading() as session:
        row, team = _find(session, person, view_id)
        return _as_view(row, team, session.scalar(_default(person)))


def default_view(board: BoardContext, person: PersonInfo) -> int | None:
    """Return the view with which a person's list opens, if one is chosen and still readable."""
    query = _readable(person).with_only_columns(ListView.view_id)
    with board.database.reading() as session:
        return session.scalar(query.where(ListView.view_id.in_(_default(person))))


def teams_of(board: BoardContext, person: PersonInfo) -> list[tuple[str, str]]:
    """Return id and name of the teams that a person is in."""
    query = select(Team.team_id, Team.name).join(TeamMember, TeamMember.team_id == Team.team_id)
    with board.database.reading() as session:
        found = session.execute(query.where(TeamMember.person_id == person.id).order_by(Team.name))
        return [(row[0], row[1]) for row in found]


def _default(person: PersonInfo) -> Select[int]:
    return select(DefaultView.view_id).where(DefaultView.person_id == person.id)


def _readable(person: PersonInfo) -> Select[ListView, str]:
    teams = select("team:" + TeamMember.team_id).where(TeamMember.person_id == person.id)
    return (
        select(ListView, Team.name)
        .outerjoin(Team, "team:" + Team.team_id == ListView.owner)
        .where((ListView.owner == str(Actor.of(person))) | ListView.owner.in_(teams))
    )


def _find(session: Session, person: PersonInfo, view_id: int) -> tuple[ListView, str | None]:
    found = session.execute(_readable(person).where(ListView.view_id == view_id)).first()
    if found is None:
        raise NotFound(what=t("issues.view.title"))
    return found[0], found[1]


def _as_view(row: ListView, team: str | None, default: int | None) -> SavedView:
    shared = (team or row.owner) if row.owner.startswith("team:") else ""
    columns = chosen_columns(row.columns)
    return SavedView(row.view_id, row.name, row.words, columns, shared, row.view_id == default)


@repeat_on_conflict
def save(board: BoardContext, person: PersonInfo, new: NewView) -> int:
    """Save a view as the last one of its owner; return its number.

    Raises `Invalid` if name or filter are not valid, `NotFound` if the person is not in the team.
    """
    require_permission(person, _ACTION)
    owner, now = str(Actor.of(person)), board.clock()
    with board.database.transaction() as session:
        if new.team:
            member = session.get(TeamMember, (new.team, person.id))
            if member is None:
                raise NotFound(what=new.team)
            owner = f"team:{new.team}"
        name, words = _checked(session, board, person, new.name, new.words)
        _require_free(session, owner, name)
        known = select(func.count(), func.max(ListView.place)).where(ListView.owner == owner)
        number, last = session.execute(known).one()
        if number >= MOST:
            raise Refused(why=t("issues.view.too_many", most=MOST))
        row = ListView(
            owner=owner,
            name=name,
            words=words,
            columns=list(chosen_columns(new.columns)),
            place=(last or 0) + 1,
            changed_by=str(Actor.of(person)),
            changed_at=now,
        )
        session.add(row)
        _flush(session, name)
        _log_shared(session, board, person, row)
        return row.view_id


@repeat_on_conflict
def change(
    board: BoardContext,
    person: PersonInfo,
    view_id: int,
    *,
    name: str | None = None,
    words: str | None = None,
    columns: Iterable[str] | None = None,
) -> None:
    """Rename a view, or replace its filter and columns. Raises as `save` does."""
    require_permission(person, _ACTION)
    with board.database.transaction() as session:
        row, _team = _find(session, person, view_id)
        given = row.name if name is None else name
        filter_words = row.words if words is None else words
        new_name, new_words = _checked(session, board, person, given, filter_words)
        if new_name != row.name:
            _require_free(session, row.owner, new_name)
        row.name, row.words = new_name, new_words
        if columns is not None:
            row.columns = list(chosen_columns(columns))
        row.changed_by, row.changed_at = str(Actor.of(person)), board.clock()
        _flush(session, new_name)
        _log_shared(session, board, person, row)


@repeat_on_conflict
def move(board: BoardContext, person: PersonInfo, view_id: int, step: int) -> None:
    """Move a view up (-1) or down (1) among those of its owner."""
    require_permission(person, _ACTION)
    with board.database.transaction() as session:
        row, _team = _find(session, person, view_id)
        query = select(ListView).where(ListView.owner == row.owner)
        rows = list(
            session.scalars(query.order_by(ListView.place, ListView.view_id).with_for_update())
        )
        at = [one.view_id for one in rows].index(view_id)
        to = min(max(at + (1 if step > 0 else -1), 0), len(rows) - 1)
        rows.insert(to, rows.pop(at))
        for place, one in enumerate(rows, 1):
            one.place = place


@repeat_on_conflict
def remove(board: BoardContext, person: PersonInfo, view_id: int) -> None:
    """Delete a view."""
    require_permission(person, _ACTION)
    with board.database.transaction() as session:
        row, _team = _find(session, person, view_id)
        session.delete(row)
        session.flush()
        _log_shared(session, board, person, row, removed=True)


@repeat_on_conflict
def choose_default(board: BoardContext, person: PersonInfo, view_id: int | None) -> None:
    """Open the person's list with this view, or with all open issues."""
    require_permission(person, _ACTION)
    with board.database.transaction() as session:
        if view_id is None:
            session.execute(delete(DefaultView).where(DefaultView.person_id == person.id))
            return
        _find(session, person, view_id)
        row = {"person_id": person.id, "view_id": view_id}
        given = insert(DefaultView).values(row)
        session.execute(given.on_conflict_do_update(index_elements=["person_id"], set_=row))


def _checked(
    session: Session, board: BoardContext, person: PersonInfo, name: str, words: str
) -> tuple[str, str]:
    """Return name and filter as they are stored. Raises `Invalid` with the field that is wrong."""
    short = trim(name, MAX_NAME)
    if not short:
        raise Missing(what=t("issues.view.name"), field="name", why=t("issues.view.name_missing"))
    kept = trim(words)
    if len(kept) > MAX_WORDS:
        why = t("issues.view.words_long", most=MAX_WORDS)
        raise Invalid(what=t("issues.view.words"), why=why, field="words")
    problems = read_filter(session, person, kept, board.clock()).problems
    if problems:
        one = problems[0]
        why = t(f"issues.problem.{one.name}", written=one.written, **one.words)
        raise Invalid(what=t("issues.view.words"), why=why, field="words")
    return short, kept


def _require_free(session: Session, owner: str, name: str) -> None:
    query = select(ListView.view_id).where(ListView.owner == owner, ListView.name == name)
    if session.scalar(query) is not None:
        raise _taken(name)


def _flush(session: Session, name: str) -> None:
    """Write; a view of the same name that was saved at the same time is refused like an earlier."""
    try:
        session.flush()
    except IntegrityError as error:
        raise _taken(name) from error


def _taken(name: str) -> Invalid:
    why = t("issues.view.name_taken", name=quoted(name))
    return Invalid(what=t("issues.view.name"), why=why, field="name")


def _log_shared(
    session: Session,
    board: BoardContext,
    person: PersonInfo,
    row: ListView,
    *,
    removed: bool = False,
) -> None:
    """Record a change of what others use as well; one's own views concern no one else."""
    if not row.owner.startswith("team:"):
        return
    detail = {"view": row.view_id, "owner": row.owner, "removed": removed}
    log.append(
        session,
        EntryKind.ISSUE_VIEW_CHANGED,
        actor=str(Actor.of(person)),
        now=board.clock(),
        detail=detail | {"name": row.name, "words": row.words, "columns": list(row.columns)},
        name=row.name,
    )
