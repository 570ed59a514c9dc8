"""Enrol, change and remove servers; each change is in the audit log."""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.cmdb import policy, record_store, revisions
from guardia.board.core.acting import require_actor
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.kill_switch import kill_switch_is_on
from guardia.board.core.lifecycle import OPEN_STATES
from guardia.board.core.model import Directive, Task
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, NotFound, Refused, Stale
from guardia.i18n import t
from guardia.org import host_key, registry
from guardia.org.directory import Facts, Host, PersonInfo
from guardia.org.model import Institution, Server

EDIT, REMOVE = "server.edit", "server.remove"


@repeat_on_conflict
def enrol(board: BoardContext, by: PersonInfo | Actor, value: Host) -> None:
    """Register a server with its pinned key, facts and services, all at once or not at all.

    Raises `Invalid` if the id or the address is taken, or if no host key is pinned.
    """
    actor, given = require_actor(by, EDIT, institution=value.institution), value
    given = policy.validated_host(value.model_copy(update={"blocked": ""}))
    if not given.host_key and not given.login.host_ca:
        raise Invalid(what=given.server_id, why=t("cmdb.rule.no_key"))
    with board.database.transaction() as session:
        institution = session.get(Institution, given.institution, with_for_update={"read": True})
        if institution is None:
            raise NotFound(what=given.institution)
        _require_free(session, given)
        session.add(registry.server_row(given))
        session.flush()
        _note(session, board, actor, None, given)
        _record(session, board, actor, EntryKind.SERVER_ENROLLED, given, _described(given))


@repeat_on_conflict
def require_new(board: BoardContext, by: PersonInfo | Actor, value: Host) -> None:
    """Raise what `enrol` would raise for a server before it is connected to."""
    require_actor(by, EDIT, institution=value.institution)
    given = policy.validated_host(value)
    with board.database.transaction() as session:
        if kill_switch_is_on(session):
            raise Refused(why=t("board.switch_on"))
        if session.get(Institution, given.institution) is None:
            raise NotFound(what=given.institution)
        _require_free(session, given)


@repeat_on_conflict
def edit(
    board: BoardContext,
    by: PersonInfo | Actor,
    server_id: str,
    changes: dict[str, Any],
    *,
    seen: str | None = None,
) -> tuple[str, ...]:
    """Change fields of a server; returns the names of those that changed.

    Key and block are changed by `host_keys` only. Raises `Stale` if the entry is no longer the one
    whose `version_of` is `seen`.
    """
    with board.database.transaction() as session:
        return edit_within(session, board, by, server_id, changes, seen=seen)


def edit_within(
    session: Session,
    board: BoardContext,
    by: PersonInfo | Actor,
    server_id: str,
    changes: dict[str, Any],
    *,
    seen: str | None = None,
) -> tuple[str, ...]:
    """Change fields of a server in the caller's transaction, as `edit` does."""
    unknown = changes.keys() - _EDITABLE
    if unknown:
        raise Invalid(what=", ".join(sorted(unknown)), why=t("cmdb.rule.not_editable"))
    row = _locked(session, server_id)
    before = registry.host_of(row)
    actor = require_actor(by, EDIT, institution=before.institution)
    if seen is not None and seen != version_of(before):
        raise Stale(what=server_id)
    after = policy.validated_host(Host.model_validate({**before.model_dump(), **changes}))
    if after.institution != before.institution:
        require_actor(by, EDIT, institution=after.institution)
        if session.get(Institution, after.institution) is None:
            raise NotFound(what=after.institution)
    found = _differences(before, after)
    if not found:
        return ()
    _require_free(session, after, besides=server_id)
    registry.fill_server(row, after)
    _note(session, board, actor, before, after)
    _record(session, board, actor, EntryKind.SERVER_CHANGED, after, found)
    return tuple(found)


@repeat_on_conflict
def record_facts(board: BoardContext, by: PersonInfo | Actor, server_id: str, facts: Facts) -> None:
    """Keep what a server said about itself when it was probed again."""
    with board.database.transaction() as session:
        row = _locked(session, server_id)
        before = registry.host_of(row)
        actor = require_actor(by, "server.inspect", institution=before.institution)
        after = before.model_copy(update={"facts": facts})
        found = _differences(before, after)
        registry.fill_server(row, after)
        _record(session, board, actor, EntryKind.SERVER_CHANGED, after, found)


@repeat_on_conflict
def remove(board: BoardContext, by: PersonInfo | Actor, server_id: str) -> None:
    """Remove a server; issues and audit log keep what happened there.

    Raises `Invalid` while a task for it is open or is being rolled back.
    """
    with board.database.transaction() as session:
        row = _locked(session, server_id)
        host = registry.host_of(row)
        actor = require_actor(by, REMOVE, institution=host.institution)
        if numbers := _open_issues(session, server_id):
            shown = ", ".join(f"#{number}" for number in numbers)
            raise Invalid(what=server_id, why=t("cmdb.rule.open_work", issues=shown))
        _remove_owners(session, board, actor, server_id)
        session.delete(row)
        session.flush()
        _note(session, board, actor, host, None)
        _record(session, board, actor, EntryKind.SERVER_REMOVED, host, _described(host))


def _remove_owners(session: Session, board: BoardContext, actor: Actor, server_id: str) -> None:
    """Remove who is responsible for one server, and keep it in the history."""
    every = record_store.load(session, "owner").values()
    owners = [entry for entry in every if entry.get("server") == server_id]
    record_store.remove(session, "owner", owners)
    for entry in owners:
        revisions.note(
            session,
            "owner",
            entry,
            None,
            author=str(actor),
            now=board.clock(),
            source="guardia server",
        )


def version_of(host: Host) -> str:
    """Return what identifies the state of an entry, so that a form cannot overwrite a newer one."""
    shown = host.model_dump_json(exclude={"facts", "blocked", "host_key"})
    return hashlib.sha256(shown.encode()).hexdigest()[:16]


_EDITABLE = frozenset(Host.model_fields) - {"server_id", "host_key", "blocked", "facts"}


def _open_issues(session: Session, server_id: str) -> list[int]:
    undoing = select(Directive.task_id).where(Directive.state == "UNDOING")
    is_open = Task.status.in_([s.value for s in OPEN_STATES]) | Task.task_id.in_(undoing)
    query = select(Task.sr_id).where(Task.target_server == server_id, is_open)
    return list(session.scalars(query.distinct().order_by(Task.sr_id).limit(10)))


def _require_free(session: Session, given: Host, *, besides: str | None = None) -> None:
    """Raise `Invalid` if another server has the id, or the address by the same way."""
    # One at a time: two that enrol the same server at once must not both find it free.
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext("guardia.enrol"))))
    same_id = func.lower(Server.server_id) == given.server_id.lower()
    if besides is None and (known := session.scalar(select(Server.server_id).where(same_id))):
        raise Invalid(what=known, why=t("cmdb.rule.taken"))
    query = select(Server).where(
        Server.address == given.address,
        Server.port == given.port,
        Server.server_id != (besides or given.server_id),
    )
    for other in session.scalars(query):
        if registry.host_of(other).login.bastions == given.login.bastions:
            words = {"server": other.server_id, "address": given.address, "port": given.port}
            raise Invalid(what=given.server_id, why=t("cmdb.rule.same_address", **words))


def _locked(session: Session, server_id: str) -> Server:
    row = session.get(Server, server_id, with_for_update=True)
    if row is None:
        raise NotFound(what=server_id)
    return row


def _described(host: Host) -> dict[str, Any]:
    found = host.model_dump(mode="json", exclude_defaults=True)
    if host.host_key:
        found["fingerprint"] = host_key.fingerprint(host.host_key)
    return found


def _differences(before: Host, after: Host) -> dict[str, Any]:
    old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
    return {
        name: {"before": old[name], "after": value}
        for name, value in new.items()
        if value != old[name]
    }


def _note(
    session: Session, board: BoardContext, actor: Actor, before: Host | None, after: Host | None
) -> None:
    """Keep the change in the history of the CMDB."""
    old, new = (record_store.server_values(h) if h is not None else None for h in (before, after))
    revisions.note(
        session,
        "server",
        old,
        new,
        author=str(actor),
        now=board.clock(),
        source="guardia server",
    )


def _record(
    session: Session,
    board: BoardContext,
    actor: Actor,
    kind: EntryKind,
    host: Host,
    what: dict[str, Any],
) -> None:
    log.append(
        session,
        kind,
        actor=str(actor),
        now=board.clock(),
        detail={"server": host.server_id, "institution": host.institution, "what": what},
        server=host.server_id,
        what=", ".join(what) if kind is EntryKind.SERVER_CHANGED else "",
        address=f"{host.address}:{host.port}",
    )
