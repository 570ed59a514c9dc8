"""Apply many changes of the CMDB at once: all of them in one transaction, or none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guardia.board.cmdb import record_store, revisions
from guardia.board.cmdb.changes import (
    BadLine,
    CmdbComparison,
    CmdbDifference,
    Draft,
    compare,
    in_file_order,
)
from guardia.board.cmdb.records import KINDS
from guardia.board.cmdb.references import Existing, drop_broken
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import OPEN_STATES
from guardia.board.core.model import Task
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, Stale
from guardia.i18n import t
from guardia.org.model import Person
from guardia.text import matching_form

_NEW_INSTITUTION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")


@dataclass(frozen=True)
class ChangeSet:
    """What is to be, as it was read from a file or a command."""

    drafts: Sequence[Draft]
    source: str
    """The name of the file, or of the command."""
    sha256: str = ""
    problems: Sequence[BadLine] = ()
    """Bad lines that were found while reading."""
    bad: int = 0
    """Number of those lines."""
    complete: frozenset[str] = frozenset()
    """Kinds of which everything that is not named is removed."""
    absent: frozenset[tuple[str, str]] = frozenset()
    """Single entries (kind and key) that are to be removed."""
    creates_institutions: bool = False
    """Whether an institution that is only named is created."""
    replaces_keys: bool = False
    """Whether confirmed host keys may be replaced."""
    back_to: int | None = None
    notes: Sequence[str] = field(default=())


def preview(board: BoardContext, given: ChangeSet) -> CmdbComparison:
    """Return what applying would do now, without writing anything."""
    with board.database.reading() as session:
        state = _read_state(session)
    return _compare(state, given)


@repeat_on_conflict
def apply(
    board: BoardContext,
    by: Actor,
    given: ChangeSet,
    *,
    skip_bad: bool = False,
    expected: str | None = None,
) -> tuple[int | None, CmdbComparison]:
    """Apply a set of changes; return the new revision (`None`: nothing changed) and the changes.

    Raises `Invalid` if a line is bad, unless bad lines are skipped, and `Stale` if `expected`, the
    digest of a preview, is not what would be applied now.
    """
    with board.database.transaction() as session:
        # Ten thousand entries are compared here while the tables are locked.
        session.execute(text("set local idle_in_transaction_session_timeout = '60s'"))
        revisions.lock(session)
        found = _compare(_read_state(session), given)
        if found.bad and not skip_bad:
            raise Invalid(what=given.source, why=refusal(found))
        if expected is not None and expected != revisions.digest(found.changes):
            raise Stale(what=given.source)
        if not found.changes:
            return None, found
        write(session, found.changes)
        number = revisions.record(
            session,
            found.changes,
            author=str(by),
            now=board.clock(),
            source=given.source,
            sha256=given.sha256,
            back_to=given.back_to,
        )
        return number, found


def refusal(found: CmdbComparison) -> str:
    """Return all bad lines as one text."""
    lines = [t("imports.refused", count=found.bad), *(f"  {bad}" for bad in found.problems[:20])]
    if found.bad > len(lines) - 1:
        lines.append("  " + t("imports.more_bad", count=found.bad - len(lines) + 1))
    return "\n".join(lines)


def write(session: Session, changes: Iterable[CmdbDifference]) -> None:
    """Write changes into the tables: new entries in the order of kinds, removals the other way."""
    found = list(changes)
    for kind in reversed(KINDS):
        gone = [c.before for c in found if c.kind == kind and c.after is None and c.before]
        record_store.remove(session, kind, gone)
    for kind in KINDS:
        new = [c.after for c in found if c.kind == kind and c.after is not None]
        record_store.write(session, kind, new)


def rollback_set(session: Session, number: int) -> ChangeSet:
    """Return what restores the state after a revision. Raises `NotFound` if there is none."""
    drafts, absent = revisions.state_at(session, number)
    return ChangeSet(
        drafts,
        source=t("imports.rollback_source", number=number),
        absent=frozenset(absent),
        replaces_keys=True,
        back_to=number,
    )


@dataclass(frozen=True, slots=True)
class _CmdbState:
    """Everything that changes are compared with."""

    current: dict[str, dict[str, dict[str, Any]]]
    people: frozenset[str]
    homes: frozenset[str]
    busy_servers: frozenset[str]


def _read_state(session: Session) -> _CmdbState:
    people = session.execute(select(Person.person_id, Person.inst_id)).all()
    states = [state.value for state in OPEN_STATES]
    busy = session.scalars(select(Task.target_server).where(Task.status.in_(states)).distinct())
    return _CmdbState(
        {kind: record_store.load(session, kind) for kind in KINDS},
        frozenset(person for person, _ in people),
        frozenset(home for _, home in people if home),
        frozenset(name for name in busy if name),
    )


def _compare(state: _CmdbState, given: ChangeSet) -> CmdbComparison:
    current = state.current
    drafts = _with_institutions(given, current["institution"])
    found = CmdbComparison(problems=list(given.problems), bad=given.bad)
    compare(drafts, current, given.complete, found)
    found.changes += [
        CmdbDifference(kind, key, current[kind][key], None)
        for kind, key in sorted(given.absent)
        if key in current[kind]
    ]
    lines = {(d.kind, d.key): d.line for d in drafts}
    existing = Existing(
        current, state.people, state.busy_servers, state.homes, lines, given.replaces_keys
    )
    drop_broken(found, existing)
    found.problems = in_file_order(found.problems)
    return found


def _with_institutions(
    given: ChangeSet, current: Mapping[str, Mapping[str, Any]]
) -> Sequence[Draft]:
    """Return the drafts with institutions named by id; adds those that are only named."""
    names = {matching_form(word): key for key, e in current.items() for word in _names(e)}
    for draft in given.drafts:
        if draft.kind == "institution":
            names.update((matching_form(word), draft.key) for word in _names(draft.values))
    names |= {matching_form(key): key for key in current}
    drafts = [_resolved(draft, names) for draft in given.drafts]
    if not given.creates_institutions:
        return drafts
    known = {*current, *(d.key for d in drafts if d.kind == "institution")}
    new: dict[str, Draft] = {}
    for draft in drafts:
        home = draft.values.get("institution", "")
        if draft.kind == "server" and home not in known and _NEW_INSTITUTION.fullmatch(home):
            new.setdefault(home, Draft("institution", draft.line, {"id": home, "name": home}))
    return [*new.values(), *drafts]


def _names(entry: Mapping[str, Any]) -> list[str]:
    aliases = entry.get("aliases", ())
    return [
        str(word) for word in (entry.get("id"), entry.get("name"), *aliases) if word is not None
    ]


def _resolved(draft: Draft, names: Mapping[str, str]) -> Draft:
    home = draft.values.get("institution")
    if not isinstance(home, str) or draft.kind == "institution":
        return draft
    found = names.get(matching_form(home), home)
    return draft if found == home else replace(draft, values={**draft.values, "institution": found})
