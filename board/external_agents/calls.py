"""What outside agents ask for, carried from the API to the worker that holds the task and back.

The board knows no tools, so a request is a row; the worker executes it through the one gate with
the grant of its own hold, and writes the answer beside it.
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
from guardia.errors import NotFound, Refused, TokenNeeded
from guardia.i18n import t


@dataclass(frozen=True, slots=True)
class CallRequest:
    """One request that the worker has taken."""

    call_id: int
    kind: str
    """``read``, ``plan``, ``apply`` or ``finish``."""
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CallResponse:
    """What came of a request."""

    status: int
    """As the API answers it."""
    body: dict[str, Any]


def submit(
    board: BoardContext, agent_session: AuthorizedSession, kind: str, body: dict[str, Any]
) -> int:
    """Ask the worker; the request's number. ``Refused`` while another one is under way."""
    with board.database.transaction() as session:
        claimed_task(session, agent_session.claim)
        # Whoever closes the session waits for this, and then answers; or we see that it is closed.
        still = select(ExternalAgentSession.closed_at).where(
            ExternalAgentSession.session_id == agent_session.session_id
        )
        if session.scalar(still.with_for_update(read=True)) is not None:
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


def take_next(board: BoardContext, session_id: int) -> CallRequest | None:
    """The request that waits for the worker, if any; it is taken once."""
    with board.database.transaction() as session:
        row = session.execute(
            update(ExternalAgentCall)
            .where(ExternalAgentCall.session_id == session_id, ExternalAgentCall.state == "WAITING")
            .values(state="RUNNING")
            .returning(ExternalAgentCall.call_id, ExternalAgentCall.kind, ExternalAgentCall.body)
        ).one_or_none()
        return CallRequest(row.call_id, row.kind, row.body) if row else None


def respond(board: BoardContext, session_id: int, call_id: int, response: CallResponse) -> None:
    """Write down what came of a request, and tell who waits for it."""
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
    """Return an answer as JSON can hold it: without NaN and infinities."""
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
    """The answer to a request of this session; ``None`` while it is under way."""
    with board.database.reading() as session:
        row = session.get(ExternalAgentCall, call_id)
        if row is None or row.session_id != agent_session.session_id:
            raise NotFound(what=f"call {call_id}")
        if row.state != "ENDED":
            return None
        return CallResponse(row.status or 500, row.result or {})
