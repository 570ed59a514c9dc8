"""Refuse every command on a server that is blocked."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.errors import ServerBlocked
from guardia.org.model import Server


def require_usable(session: Session, server_id: str | None) -> None:
    """Raise `ServerBlocked` if no command may run on this server."""
    reason = session.scalar(select(Server.blocked).where(Server.server_id == server_id))
    if reason:
        raise ServerBlocked(server=server_id, why=reason)
