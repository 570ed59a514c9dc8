"""Read the CMDB: one server, or all names that a text may refer to."""

from __future__ import annotations

from threading import Lock
from weakref import WeakKeyDictionary

from sqlalchemy.orm import Session

from guardia.board.core.context import BoardContext
from guardia.db.engine import Database
from guardia.org import registry
from guardia.org.directory import Directory, Host

_MAX_HOPS = 8


def directory(board: BoardContext) -> Directory:
    """Return every institution, server, person and agent by name."""
    with board.database.reading() as session:
        return registry.directory(session)


_names: WeakKeyDictionary[Database, tuple[tuple[int, int], Directory]] = WeakKeyDictionary()
_systems: WeakKeyDictionary[Database, tuple[int, Directory]] = WeakKeyDictionary()
_lock = Lock()


def systems(board: BoardContext) -> Directory:
    """Return institutions and servers: the same object until one of them changes.

    So neither reading nor indexing their names costs a beat more than one number.
    """
    with board.database.reading() as session:
        revision = registry.directory_revision(session)
        with _lock:
            known = _systems.get(board.database)
        if known is not None and known[0] == revision:
            return known[1]
        found = registry.systems(session)
    with _lock:
        _systems[board.database] = revision, found
    return found


def names(board: BoardContext) -> Directory:
    """Return the names of institutions, servers, people and agents: the same object until one of
    them changes.
    """
    with board.database.reading() as session:
        revision = registry.names_revision(session)
        with _lock:
            known = _names.get(board.database)
        if known is not None and known[0] == revision:
            return known[1]
        found = registry.names(session)
    with _lock:
        _names[board.database] = revision, found
    return found


def server(board: BoardContext, server_id: str) -> Host:
    """Return one server as the tools need it, with the way to it.

    Raises `NotFound` if the CMDB has none.
    """
    with board.database.reading() as session:
        return with_hops(session, registry.host(session, server_id))


def with_hops(session: Session, host: Host) -> Host:
    """Return a server with the servers on the way to it, as far as the CMDB knows them.

    One query where the first bastion has none before it, and none where there is no bastion. A loop
    is cut off: the transport refuses what it shows.
    """
    hops, wanted = list[Host](), host.login.bastions
    while wanted and len(hops) < _MAX_HOPS:
        known = registry.hosts(session, wanted)
        hops[:0] = [known[name] for name in wanted if name in known]
        wanted = known[wanted[0]].login.bastions if wanted[0] in known else ()
    return host.model_copy(update={"hops": tuple(hops)})
