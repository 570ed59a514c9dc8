"""Calls of external agents: a queue from the API to the worker that has claimed the task.

The board knows no tools, so a call is a row: the worker executes it through the gate with the grant
of its own claim, and stores the response in the same row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from guardia.board.core.claims import claimed_task
from guardia.board.core.context import BoardContext
from guardia.board.external_agents.model import ExternalAgentCall, ExternalAgentSession
from guardia.board.external_agents.sessions import AuthorizedSession, notify
from guardia.db.engine import repeat_on_conflict
from guardia.errors import NotFound, Refused, TokenNeeded
from guardia.i18n import t


@dataclass(frozen=True, slots=True)
class CallRequest:
    """A call that the worker has taken from the queue."""

    call_id: int
    kind: str
    """`read`, `plan`, `apply` or `finish`."""
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CallResponse:
    """The response to a call."""

    status: int
    """HTTP status that the API returns."""
    body: dict[str, Any]


@repeat_on_conflict
def submit(
    board: BoardContext, agent_session: AuthorizedSession, kind: str, body: dict[str, Any]
) -> int:
    """Queue a call for the worker and return its number.

    Raises `Refused` if the session already has a call in progress, `TokenNeeded` if it is closed.
    """
    with board.database.transaction() as session:
        claimed_task(session, agent_session.claim)
        # The lock serializes this with closing the session: either the close ends this call too,
        # or the session is seen to be closed here.
        closed = select(ExternalAgentSession.closed_at).where(
            ExternalAgentSession.session_id == agent_session.session_id
        )
        if session.scalar(closed.with_for_update(read=True)) is not None:
            raise TokenNeeded()
        row = insert(ExternalAgentCall).values(
            session_id=agent_session.session_id,
            kind=kind,
            body=body,
            state="WAITING",
            created_at=board.clock(),
        )
        number: int | None = session.scalar(
            row.on_conflict_do_nothing().returning(ExternalAgentCall.call_id)
        )
        if number is None:
            raise Refused(why=t("board.outside.one_at_a_time"))
        notify(session, agent_session.session_id)
        return number


@repeat_on_conflict
def take_next(board: BoardContext, session_id: int) -> CallRequest | None:
    """Take the session's waiting call, if any. No call is returned twice."""
    with board.database.transaction() as session:
        row = session.execute(
            update(ExternalAgentCall)
            .where(ExternalAgentCall.session_id == session_id, ExternalAgentCall.state == "WAITING")
            .values(state="RUNNING")
            .returning(ExternalAgentCall.call_id, ExternalAgentCall.kind, ExternalAgentCall.body)
        ).one_or_none()
        return CallRequest(row.call_id, row.kind, row.body) if row else None


@repeat_on_conflict
def respond(board: BoardContext, session_id: int, call_id: int, response: CallResponse) -> None:
    """Store the response to a call and notify the API."""
    with board.database.transaction() as session:
        session.execute(
            update(ExternalAgentCall)
            .where(ExternalAgentCall.call_id == call_id, ExternalAgentCall.state == "RUNNING")
            .values(
                state="ENDED",
                status=response.status,
                result=json_safe(response.body),
                ended_at=board.clock(),
            )
        )
        notify(session, session_id, call=call_id)


def json_safe(value: Any) -> Any:
    """Return a value that JSON can represent: NaN and infinities become `None`."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(k): json_safe(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [json_safe(v) for v in value]
    return value


def find_response(
    board: BoardContext, agent_session: AuthorizedSession, call_id: int
) -> CallResponse | None:
    """Return the response to a call, or `None` while it is in progress.

    Raises `NotFound` if the session has no such call.
    """
    with board.database.reading() as session:
        row = session.get(ExternalAgentCall, call_id)
        if row is None or row.session_id != agent_session.session_id:
            raise NotFound(what=f"call {call_id}")
        if row.state != "ENDED":
            return None
        return CallResponse(row.status or 500, row.result or {})
