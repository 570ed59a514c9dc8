"""Host keys that servers offered, and their confirmation by people, many at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.cmdb import record_store, revisions
from guardia.board.cmdb.changes import CmdbDifference
from guardia.board.cmdb.history_model import OfferedKey
from guardia.board.cmdb.imports.known_hosts import (
    find_keys,
    known_name,
    read_known_hosts,
)
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, Missing, NotFound, Stale
from guardia.i18n import t
from guardia.org import registry
from guardia.org.access import require_permission
from guardia.org.directory import Host, PersonInfo
from guardia.org.host_key import fingerprint
from guardia.org.model import Server
from guardia.text import trim

_LISTED = 200
"""Fingerprints that the audit entry names."""
_OPEN = Server.host_key == ""


@dataclass(frozen=True, slots=True)
class OfferedHostKey:
    """A key that waits for confirmation."""

    server_id: str
    institution: str
    address: str
    """Where it was offered."""
    kind: str
    fingerprint: str
    host_key: str
    seen_at: datetime
    match: str = ""
    """`same` or `other`, compared with a list; empty: the list does not name the server."""
    moved: bool = False
    """Whether the server's address was changed after the key was offered."""


def count_unconfirmed(board: BoardContext) -> int:
    """Return how many servers have neither a confirmed key nor an authority for it."""
    with board.database.reading() as session:
        return session.scalar(select(func.count()).where(_OPEN, _without_ca())) or 0


def _without_ca() -> ColumnElement[bool]:
    return func.coalesce(Server.login["host_ca"].astext, "") == ""


def unconfirmed_hosts(board: BoardContext, only: Iterable[str] | None = None) -> list[Host]:
    """Return the servers without a confirmed key. Raises `NotFound` for an unknown id."""
    names = list(only or ())
    with board.database.reading() as session:
        if names:
            return [h for h in (registry.host(session, n) for n in names) if not h.host_key]
        return [h for h in registry.systems(session).servers if not h.host_key]


@repeat_on_conflict
def record_offered(board: BoardContext, keys: Mapping[str, str]) -> None:
    """Remember the keys that unconfirmed servers offered; each replaces an earlier one."""
    now = board.clock().isoformat()
    with board.database.transaction() as session:
        query = select(Server.server_id, Server.address, Server.port)
        found = session.execute(query.where(Server.server_id.in_(keys), _OPEN))
        rows = [
            {
                "server_id": server,
                "host_key": keys[server],
                "address": known_name(address, port),
                "seen_at": now,
            }
            for server, address, port in found
        ]
        if rows:
            record_store.upsert(session, OfferedKey, ["server_id"], rows)


def offered(board: BoardContext, known: str = "") -> list[OfferedHostKey]:
    """Return the keys that wait for confirmation, compared with a list of known ones.

    `known` is a known_hosts file, or lines with fingerprints, each perhaps with a server's name.
    Those that differ from the list come first, then those that are the same.
    """
    with board.database.reading() as session:
        query = (
            select(OfferedKey, Server.inst_id, Server.address, Server.port)
            .join(Server, Server.server_id == OfferedKey.server_id)
            .where(_OPEN)
            .order_by(OfferedKey.server_id)
        )
        rows = session.execute(query).all()
    matches = _matches({o.server_id: (o.host_key, o.address) for o, *_ in rows}, known)
    found = [
        OfferedHostKey(
            server_id=o.server_id,
            institution=home,
            address=o.address,
            kind=o.host_key.split()[0],
            fingerprint=fingerprint(o.host_key),
            host_key=o.host_key,
            seen_at=o.seen_at,
            match=matches.get(o.server_id, ""),
            moved=o.address != known_name(address, port),
        )
        for o, home, address, port in rows
    ]
    return sorted(found, key=lambda k: (k.match != "other", k.match != "same"))


def _matches(keys: Mapping[str, tuple[str, str]], known: str) -> dict[str, str]:
    """Return `same` or `other` for each server that the list names."""
    names = {
        server: (place, known_name(server, 22), server.lower())
        for server, (_, place) in keys.items()
    }
    entries = read_known_hosts(known)
    found: dict[str, str] = {}
    for server, listed in find_keys(entries, names).items():
        of_kind = [k for k in listed if k.split()[0] == keys[server][0].split()[0]]
        if of_kind:
            found[server] = "same" if keys[server][0] in of_kind else "other"
    for server, (key, _) in keys.items():
        if key in entries.revoked:
            found[server] = "other"
    return found | _by_fingerprint(keys, names, known)


def _by_fingerprint(
    keys: Mapping[str, tuple[str, str]], names: Mapping[str, tuple[str, ...]], known: str
) -> dict[str, str]:
    """Compare with lines of fingerprints: `server SHA256:…`, as `ssh-keygen -l` prints, or alone.

    A line that names a server counts for that one only.
    """
    by_name = {name: server for server, own in names.items() for name in own}
    prints = {server: fingerprint(key) for server, (key, _) in keys.items()}
    by_print: dict[str, list[str]] = {}
    for server, text in prints.items():
        by_print.setdefault(text, []).append(server)
    found: dict[str, str] = {}
    for line in known.splitlines():
        words = line.replace(",", " ").split()
        given = [w.rstrip("=") for w in words if w.startswith("SHA256:")]
        named = {by_name[w.lower()] for w in words if w.lower() in by_name}
        for server in named if given else ():
            if found.get(server) != "same":
                found[server] = "same" if prints[server] in given else "other"
        if not named and len(words) <= 2 and len(given) == 1:
            for server in by_print.get(given[0], ()):
                found.setdefault(server, "same")
    return found


@repeat_on_conflict
def confirm(board: BoardContext, by: PersonInfo, keys: Mapping[str, str], reason: str) -> int:
    """Pin the offered keys of servers that a person has compared; return how many.

    `keys` are fingerprints as they were shown. Raises `Stale` if a server has offered another key
    or was confirmed since.
    """
    require_permission(by, "server.confirm_key")
    why = trim(reason)
    if not why:
        raise Missing(what=t("roster.keys.reason"))
    if not keys:
        raise Invalid(what=t("roster.keys.title"), why=t("roster.keys.none_ticked"))
    with board.database.transaction() as session:
        revisions.lock(session)
        pinned = {server: _checked(session, server, seen) for server, seen in keys.items()}
        changes = _pin(session, pinned)
        number = revisions.record(
            session,
            changes,
            author=str(Actor.of(by)),
            now=board.clock(),
            source=t("roster.keys.source"),
        )
        _append_entry(session, board, by, pinned, why, number)
        return len(changes)


def _checked(session: Session, server: str, seen: str) -> str:
    """Return the offered key of a server. Raises `Stale` if it is not the one that was shown."""
    row = session.get(OfferedKey, server, with_for_update=True)
    host = session.get(Server, server)
    if row is None or host is None:
        raise NotFound(what=server)
    moved = row.address != known_name(host.address, host.port)
    if host.host_key or moved or fingerprint(row.host_key) != seen:
        raise Stale(what=server)
    return row.host_key


def _pin(session: Session, pinned: Mapping[str, str]) -> list[CmdbDifference]:
    current = record_store.load(session, "server")
    changes = [
        CmdbDifference("server", server, current[server], current[server] | {"host_key": key})
        for server, key in sorted(pinned.items())
    ]
    record_store.write(session, "server", [c.after for c in changes if c.after is not None])
    for server in pinned:
        session.delete(session.get_one(OfferedKey, server))
    session.flush()
    return changes


def _append_entry(
    session: Session,
    board: BoardContext,
    by: PersonInfo,
    pinned: Mapping[str, str],
    reason: str,
    revision: int,
) -> None:
    prints = {server: fingerprint(key) for server, key in sorted(pinned.items())}
    log.append(
        session,
        EntryKind.HOST_KEYS_CONFIRMED,
        actor=str(Actor.of(by)),
        now=board.clock(),
        detail={
            "revision": revision,
            "count": len(prints),
            "fingerprints": dict(list(prints.items())[:_LISTED]),
            "reason": reason,
        },
        count=len(prints),
        reason=reason,
    )
