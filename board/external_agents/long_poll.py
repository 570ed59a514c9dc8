"""Waiting for the worker's answer to a request of an outside agent, told by notification."""

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
    """The answer as soon as it is there; ``None`` where it takes longer.

    One connection listens for as long as someone waits: a session has one request under way, so
    there are never more than there are outside agents at work.
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
            # An empty event: it listens from now on, so what was told before is looked up.
            if event and event.get("outside") != agent_session.session_id:
                continue
            found = await asyncio.to_thread(calls.find_response, board, agent_session, call_id)
            if found is not None:
                return found
    return None
