"""One session of an external agent: start it, watch it, serve its requests, end it for certain."""

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
from guardia.board.core.context import BoardContext
from guardia.board.external_agents import calls, sessions
from guardia.board.external_agents.sessions import SessionEnd
from guardia.db import events
from guardia.errors import OperatorError

log = logging.getLogger(__name__)

GRACE = 10.0
"""Seconds that an agent may continue after its task no longer waits for it, to report usage."""
_POLL_INTERVAL = 0.5


@dataclass
class AgentSession:
    """Runs in the thread of a beat, in an event loop of its own."""

    board: BoardContext
    claim: Claim
    proxy: ToolProxy
    session_id: int
    seconds: float
    grace: float = GRACE
    closing: Callable[[], bool] = lambda: False
    """Whether this process is to end."""

    def run(self, handle: AgentHandle) -> SessionEnd:
        """Run the agent through its session; nothing of it remains afterwards."""
        return asyncio.run(self._run(handle))

    async def _run(self, handle: AgentHandle) -> SessionEnd:
        self._request_pending = asyncio.Event()
        self._busy = asyncio.Lock()
        serving = asyncio.create_task(self._serve())
        watching = asyncio.create_task(self._watch())
        shutting_down = asyncio.create_task(self._wait_for_shutdown())
        how, why = "", ""
        try:
            async with asyncio.timeout(self.seconds):
                await handle.start()
                how = await self._wait_for_end(handle, serving, watching, shutting_down)
        except TimeoutError:
            how = "timeout"
        except OperatorError as error:
            how, why = "failed", str(error)
        finally:
            watching.cancel()
            shutting_down.cancel()
            ending = await handle.stop()
            # What the gate has started for it is finished or interrupted there.
            async with self._busy:
                serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving
        output = "\n".join(part for part in (why, ending.output) if part)
        return replace(ending, how=how or ending.how, output=output)

    async def _wait_for_end(
        self,
        handle: AgentHandle,
        serving: asyncio.Task[str],
        watching: asyncio.Task[str],
        shutting_down: asyncio.Task[str],
    ) -> str:
        """Return why the session is over; empty if the agent ended by itself."""
        working = asyncio.create_task(handle.wait())
        try:
            others = {serving, watching, shutting_down}
            await asyncio.wait({working, *others}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            working.cancel()
        return next((task.result() for task in others if task.done()), "")

    async def _wait_for_shutdown(self) -> str:
        """Wait until this process is to end, which threads learn from a flag only."""
        while not self.closing():
            await asyncio.sleep(_POLL_INTERVAL)
        return "closing"

    async def _watch(self) -> str:
        """Wait until a person, another worker, the agent itself or its task ends the session."""
        try:
            async with (
                asyncio.timeout(None) as deadline,
                aclosing(events.stream(self.board.database.dsn)) as stream,
            ):
                async for event in stream:
                    # An empty event: some events may have been missed.
                    if event and not self._concerns(event):
                        continue
                    if reason := await self._end_reason(deadline):
                        return reason
                    self._request_pending.set()
        except TimeoutError:
            return "turn_over"
        return "closed"

    def _concerns(self, event: dict[str, Any]) -> bool:
        is_ours = (
            event.get("outside") == self.session_id or event.get("task_id") == self.claim.task_id
        )
        return is_ours or event.get("kind") == "killed"

    async def _end_reason(self, deadline: asyncio.Timeout) -> str:
        status = await asyncio.to_thread(sessions.status, self.board, self.session_id)
        if status.overruled:
            return "overruled"
        if not status.open:
            return "closed"
        if not status.awaits_agent and deadline.when() is None:
            deadline.reschedule(asyncio.get_running_loop().time() + self.grace)
        return ""

    async def _serve(self) -> str:
        while True:
            await self._request_pending.wait()
            self._request_pending.clear()
            async with self._busy:
                await asyncio.to_thread(self._serve_waiting)

    def _serve_waiting(self) -> None:
        while (request := calls.take_next(self.board, self.session_id)) is not None:
            response = self.proxy.serve(request)
            calls.respond(self.board, self.session_id, request.call_id, response)
