"""Read the CMDB: one server, or all names that a text may refer to."""

from __future__ import annotations

from threading import Lock
from weakref import WeakKeyDictionary

from guardia.board.core.context import BoardContext
from guardia.db.engine import Database
from guardia.org import registry
from guardia.org.directory import Directory, Host


def directory(board: BoardContext) -> Directory:
    """Return every institution, server, person and agent by name."""
    with board.database.reading() as session:
        return registry.directory(session)


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


def server(board: BoardContext, server_id: str) -> Host:
    """Return one server as the tools need it. Raises `NotFound` if the CMDB has none."""
    with board.database.reading() as session:
        return registry.host(session, server_id)
