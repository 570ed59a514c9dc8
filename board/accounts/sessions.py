"""Sessions of a person: list, end one, end the oldest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.db.engine import repeat_on_conflict
from guardia.errors import NotFound
from guardia.i18n import t
from guardia.org import access
from guardia.org.access import require_permission
from guardia.org.account_model import SignInRecord
from guardia.org.directory import PersonInfo
from guardia.org.model import LoginSession


@dataclass(frozen=True, slots=True)
class SessionView:
    """One session for display."""

    number: int
    created_at: datetime
    used_at: datetime
    source: str
    agent: str
    current: bool
    """Whether it is the one that asks."""


def list_sessions(
    board: BoardContext, viewer: PersonInfo, account: str = "", current: int = 0
) -> list[SessionView]:
    """Return the open sessions of the viewer, or as an administrator of another account."""
    owner = account or viewer.id
    _require(viewer, owner)
    query = select(LoginSession).where(
        LoginSession.person_id == owner, LoginSession.expires_at > board.current_time()
    )
    with board.database.reading() as session:
        return [
            SessionView(
                r.session_id, r.created_at, r.used_at, r.source, r.agent, r.session_id == current
            )
            for r in session.scalars(query.order_by(LoginSession.session_id.desc()))
        ]


def _require(viewer: PersonInfo, owner: str) -> None:
    require_permission(viewer, "session.own" if owner == viewer.id else "person.manage")


@repeat_on_conflict
def end(board: BoardContext, by: PersonInfo, number: int, account: str = "") -> None:
    """End a session, one's own or as an administrator that of another account."""
    owner = account or by.id
    _require(by, owner)
    with board.database.transaction() as session:
        found = session.scalar(
            delete(LoginSession)
            .where(LoginSession.session_id == number, LoginSession.person_id == owner)
            .returning(LoginSession.session_id)
        )
        if found is None:
            raise NotFound(what=t("accounts.session.name"))
        _log(session, board, Actor.of(by), owner, number)


@repeat_on_conflict
def end_all(board: BoardContext, by: PersonInfo, account: str) -> None:
    """End all sessions of an account and forget its devices, as an administrator."""
    require_permission(by, "person.manage")
    with board.database.transaction() as session:
        access.end_sessions(session, account)
        _log(session, board, Actor.of(by), account, 0)


def _log(session: Session, board: BoardContext, by: Actor, owner: str, number: int) -> None:
    log.append(
        session,
        EntryKind.SESSION_ENDED,
        actor=str(by),
        now=board.clock(),
        detail={"person": owner, "session": number},
        person=owner,
    )


def end_oldest(session: Session, account: str, *, keep: int) -> None:
    """End the sessions of an account but the newest ones."""
    kept = (
        select(LoginSession.session_id)
        .where(LoginSession.person_id == account)
        .order_by(LoginSession.session_id.desc())
        .limit(keep)
    )
    session.execute(
        delete(LoginSession).where(
            LoginSession.person_id == account, LoginSession.session_id.not_in(kept)
        )
    )


def sign_ins(
    board: BoardContext, viewer: PersonInfo, account: str = "", limit: int = 10
) -> list[SignInRecord]:
    """Return the last sign-ins, refused ones too, of the viewer or of another account."""
    owner = account or viewer.id
    require_permission(viewer, "session.own" if owner == viewer.id else "person.read")
    query = select(SignInRecord).where(SignInRecord.person_id == owner)
    with board.database.reading() as session:
        return list(session.scalars(query.order_by(SignInRecord.sign_in_id.desc()).limit(limit)))
