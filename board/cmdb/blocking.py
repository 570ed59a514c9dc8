"""Refuse every command on a server that is blocked."""

from __future__ import annotations

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from guardia.db.statement import Statement
from guardia.errors import ServerBlocked
from guardia.org.model import Server

_BLOCKED = Statement(select(Server.blocked).where(Server.server_id == bindparam("server")))


def require_usable(session: Session, server_id: str | None) -> None:
    """Raise `ServerBlocked` if no command may run on this server."""
    if reason := _BLOCKED.first(session, {"server": server_id}):
        raise ServerBlocked(server=server_id, why=reason)
