"""Read the CMDB: one server, or every name that a text can mean."""

from __future__ import annotations

from guardia.board.core.context import Desk
from guardia.org import registry
from guardia.org.directory import Directory, Host


def directory(desk: Desk) -> Directory:
    """Return every institution, server, person and agent by name."""
    with desk.database.reading() as session:
        return registry.directory(session)


def server(desk: Desk, server_id: str) -> Host:
    """Return one server as the tools need it. Raises `NotFound` if the CMDB has none."""
    with desk.database.reading() as session:
        return registry.host(session, server_id)
