"""Change single entries of the duty roster, and undo a change, as revisions of the CMDB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from guardia.board.approvals import absences
from guardia.board.audit.canonical import digest
from guardia.board.cmdb import applying, entries, revisions
from guardia.board.cmdb.applying import ChangeSet
from guardia.board.cmdb.changes import CmdbDifference, Draft
from guardia.board.cmdb.records import KINDS, record_key
from guardia.board.core.acting import require_actor
from guardia.board.core.context import BoardContext
from guardia.board.roster.fields import FIELDS, absence_of, require_valid
from guardia.errors import Invalid, NotFound, Refused, Stale
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo

EDIT = "roster.edit"
KINDS_OF_ROSTER = frozenset({"team", "skill", "owner", "duty", "duty_exception"})
_SOURCE = "/roster"


def version_of(values: Mapping[str, Any]) -> str:
    """Return the digest of an entry, by which a form knows whether it has changed since."""
    return digest(dict(values))


def find(board: BoardContext, kind: str, key: str) -> dict[str, Any]:
    """Return an entry. Raises `NotFound` if there is none."""
    found = {record_key(KINDS[kind].KEYS, one): one for one in entries.entries(board, kind)}
    if key not in found:
        raise NotFound(what=t(f"imports.kind.{kind}"))
    return found[key]


def add(board: BoardContext, by: PersonInfo, kind: str, values: Mapping[str, Any]) -> None:
    """Add an entry. Raises `Invalid` with the field that is wrong."""
    actor = require_actor(by, EDIT)
    require_valid(kind, values)
    key = record_key(KINDS[kind].KEYS, values)
    known = {record_key(KINDS[kind].KEYS, one) for one in entries.entries(board, kind)}
    if key in known:
        field = next(one.name for one in FIELDS[kind] if one.identifies and values.get(one.name))
        raise Invalid(what=t(f"roster.field.{field}"), why=t("roster.page.exists"), field=field)
    _apply(board, actor, ChangeSet([Draft(kind, 0, values, whole=True)], source=_SOURCE))


def change(
    board: BoardContext, by: PersonInfo, kind: str, key: str, values: Mapping[str, Any], seen: str
) -> None:
    """Replace an entry that a form showed. Raises `Stale` if another has changed it since."""
    actor = require_actor(by, EDIT)
    before = find(board, kind, key)
    fixed = [one.name for one in FIELDS[kind] if one.identifies]
    kept = {name: before[name] for name in fixed if name in before}
    unshown = set(KINDS[kind].model_fields) - {one.name for one in FIELDS[kind]}
    hidden = {name: before[name] for name in unshown if name in before}
    wanted = {**hidden, **values, **kept}
    require_valid(kind, wanted)
    if seen != version_of(before):
        raise Stale(what=t(f"imports.kind.{kind}"))
    _apply(board, actor, ChangeSet([Draft(kind, 0, wanted, whole=True)], source=_SOURCE))


def remove(board: BoardContext, by: PersonInfo, kind: str, key: str) -> None:
    """Remove an entry; a duty goes with its exceptions. Raises `NotFound` if there is none."""
    actor = require_actor(by, EDIT)
    find(board, kind, key)
    gone = {(kind, key)}
    if kind == "duty":
        keys = KINDS["duty_exception"].KEYS
        others = entries.entries(board, "duty_exception")
        gone |= {("duty_exception", record_key(keys, o)) for o in others if o["duty"] == key}
    _apply(board, actor, ChangeSet([], source=_SOURCE, absent=frozenset(gone)))


def _apply(board: BoardContext, actor: Any, wanted: ChangeSet) -> None:
    found = applying.preview(board, wanted)
    if found.problems:
        problem = found.problems[0]
        why = f"{problem.what}. {problem.remedy}"
        what = t(f"roster.field.{problem.field}") if problem.field else t("roster.page.title")
        raise Invalid(what=what, why=why, field=problem.field)
    applying.apply(board, actor, wanted)


def undo(board: BoardContext, by: PersonInfo, number: int) -> None:
    """Undo one change of the roster. Raises `Refused` if something of it has changed since."""
    actor = require_actor(by, EDIT)
    with board.database.reading() as session:
        changes = revisions.changes_of(session, number)
        _require_undoable(session, changes, number)
    drafts = [Draft(c.kind, 0, c.before, whole=True) for c in changes if c.before is not None]
    absent = frozenset((c.kind, c.key) for c in changes if c.before is None)
    if any(change.kind == "team" for change in changes):
        require_permission(by, "team.edit")
    source = t("roster.page.undo_source", number=number)
    _apply(board, actor, ChangeSet(drafts, source=source, absent=absent))


def _require_undoable(session: Session, changes: list[CmdbDifference], number: int) -> None:
    if any(change.kind not in KINDS_OF_ROSTER for change in changes):
        raise Refused(why=t("roster.page.not_only_roster"))
    later = revisions.changed_after(session, number, [(c.kind, c.key) for c in changes])
    if later:
        raise Refused(why=t("roster.page.changed_since", number=later))


def add_absence(board: BoardContext, by: PersonInfo, values: Mapping[str, Any]) -> None:
    """Enter an absence. Raises `Invalid` with the field that is wrong."""
    actor = require_actor(by, EDIT)
    wanted = absence_of(values)
    for problem in absences.find_problems(board, [wanted]):
        why = t(f"imports.bad.{problem.key}.what", value=problem.value or "-")
        field = _field_of(problem.key, problem.value, wanted.person)
        raise Invalid(what=t(f"roster.field.{field}"), why=why, field=field)
    absences.set_absences(board, actor, [wanted])


def _field_of(key: str, value: str, person: str) -> str:
    if key == "period":
        return "last_day"
    return "person" if key == "no_person" and value == person else "substitute"


def end_absence(board: BoardContext, by: PersonInfo, number: int) -> None:
    """End an absence. Raises `NotFound` if it is over or was never entered."""
    absences.end_absence(board, require_actor(by, EDIT), number)
