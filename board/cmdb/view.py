"""Read the CMDB: one server, or all names that a text may refer to."""

from __future__ import annotations

from guardia.board.core.context import BoardContext
from guardia.org import registry
from guardia.org.directory import Directory, Host


def directory(board: BoardContext) -> Directory:
    """Return every institution, server, person and agent by name."""
    with board.database.reading() as session:
        return registry.directory(session)


def server(board: BoardContext, server_id: str) -> Host:
    """Return one server as the tools need it. Raises `NotFound` if the CMDB has none."""
    with board.database.reading() as session:
        return registry.host(session, server_id)
