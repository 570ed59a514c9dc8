"""Long polling for the response to an external agent's call, driven by database notifications."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from guardia.board.core.context import BoardContext
from guardia.board.external_agents import calls
from guardia.board.external_agents.calls import CallResponse
from guardia.board.external_agents.sessions import AuthorizedSession
from guardia.db import events


async def wait_for_response(
    board: BoardContext, agent_session: AuthorizedSession, call_id: int, seconds: float
) -> CallResponse | None:
    """Return the response as soon as it is stored, or `None` after `seconds`.

    Each wait holds one listening connection. A session has at most one call in progress, so there
    are never more connections than running external agents.
    """
    try:
        async with asyncio.timeout(seconds):
            return await _notified_response(board, agent_session, call_id)
    except TimeoutError:
        return None


async def _notified_response(
    board: BoardContext, agent_session: AuthorizedSession, call_id: int
) -> CallResponse | None:
    async with aclosing(events.stream(board.database.dsn)) as stream:
        async for event in stream:
            # An empty event means that listening has started: look up what was stored before.
            if event and event.get("outside") != agent_session.session_id:
                continue
            found = await asyncio.to_thread(calls.find_response, board, agent_session, call_id)
            if found is not None:
                return found
    return None
