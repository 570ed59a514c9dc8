"""One turn of an outside agent: sent out, watched over, served, and surely ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Any

from guardia.agents.adapters.contract import AgentHandle
from guardia.agents.adapters.tool_proxy import ToolProxy
from guardia.board.core.claims import Claim
from guardia.board.core.context import Desk
from guardia.board.external_agents import calls, sessions
from guardia.board.external_agents.sessions import SessionEnd
from guardia.db import events
from guardia.errors import OperatorError

log = logging.getLogger(__name__)

GRACE = 10.0
"""Seconds that an agent may go on once its task no longer waits for it: to say what it used."""
_POLL_INTERVAL = 0.5


@dataclass
class AgentSession:
    """Runs in the thread of a beat, in a loop of its own."""

    desk: Desk
    hold: Claim
    clerk: ToolProxy
    session_id: int
    seconds: float
    grace: float = GRACE
    closing: Callable[[], bool] = lambda: False
    """Whether this process is to end."""

    def run(self, engagement: AgentHandle) -> SessionEnd:
        """See the agent through its turn; nothing of it remains afterwards."""
        return asyncio.run(self._run(engagement))

    async def _run(self, engagement: AgentHandle) -> SessionEnd:
        self._wanted = asyncio.Event()
        self._busy = asyncio.Lock()
        serving = asyncio.create_task(self._serve())
        watching = asyncio.create_task(self._watch())
        leaving = asyncio.create_task(self._leave())
        how, why = "", ""
        try:
            async with asyncio.timeout(self.seconds):
                await engagement.start()
                how = await self._first(engagement, serving, watching, leaving)
        except TimeoutError:
            how = "timeout"
        except OperatorError as error:
            how, why = "failed", str(error)
        finally:
            watching.cancel()
            leaving.cancel()
            ending = await engagement.stop()
            # What has been begun for it through the gate is finished or interrupted there.
            async with self._busy:
                serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving
        output = "\n".join(part for part in (why, ending.output) if part)
        return replace(ending, how=how or ending.how, output=output)

    async def _first(
        self,
        engagement: AgentHandle,
        serving: asyncio.Task[str],
        watching: asyncio.Task[str],
        leaving: asyncio.Task[str],
    ) -> str:
        """Why the turn is over; empty where the agent has ended by itself."""
        working = asyncio.create_task(engagement.wait())
        try:
            others = {serving, watching, leaving}
            await asyncio.wait({working, *others}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            working.cancel()
        return next((task.result() for task in others if task.done()), "")

    async def _leave(self) -> str:
        """Until this process is told to end, which reaches threads as a flag only."""
        while not self.closing():
            await asyncio.sleep(_POLL_INTERVAL)
        return "closing"

    async def _watch(self) -> str:
        """Until someone ends the turn: a person, another worker, the agent itself, or its task."""
        try:
            async with (
                asyncio.timeout(None) as limit,
                aclosing(events.stream(self.desk.database.dsn)) as stream,
            ):
                async for event in stream:
                    # An empty event: something may have been missed.
                    if event and not self._concerns(event):
                        continue
                    if over := await self._over(limit):
                        return over
                    self._wanted.set()
        except TimeoutError:
            return "turn_over"
        return "closed"

    def _concerns(self, event: dict[str, Any]) -> bool:
        ours = event.get("outside") == self.session_id or event.get("task_id") == self.hold.task_id
        return ours or event.get("kind") == "killed"

    async def _over(self, limit: asyncio.Timeout) -> str:
        stands = await asyncio.to_thread(sessions.status, self.desk, self.session_id)
        if stands.overruled:
            return "overruled"
        if not stands.open:
            return "closed"
        if not stands.turn and limit.when() is None:
            limit.reschedule(asyncio.get_running_loop().time() + self.grace)
        return ""

    async def _serve(self) -> str:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            async with self._busy:
                await asyncio.to_thread(self._serve_waiting)

    def _serve_waiting(self) -> None:
        while (request := calls.take_next(self.desk, self.session_id)) is not None:
            given = self.clerk.serve(request)
            calls.respond(self.desk, self.session_id, request.call_id, given)
