"""Many commands in flight on the practice fleet, counted on its hosts."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from board_env import assignment
from full_stack import FullStack
from sqlalchemy import update
from waiting import AN_HOUR, wait_until

from guardia.board.core.claims import Claim
from guardia.board.core.model import Task
from guardia.board.core.plan import ToolCall
from guardia.board.execution import assignments, grants
from guardia.board.issues import receiving
from guardia.board.runs import beats
from guardia.heartbeat.listener import INTERRUPTING_KINDS, Reaction, listen
from guardia.tools.command import Command

SLEEP_MARK = f"{AN_HOUR:.0f}.{os.getpid():08d}"
"""Seconds of a sleep that no other process asks for, so that it can be recognised."""
SERVERS = {
    "MOF-DB-01": "budgetdb",
    "MOE-DB-01": "edudb",
    "MOF-WAS-01": "budget",
    "MOF-WAS-02": "budget",
    "MOIS-WAS-01": "minwon",
}


class SlowTransport:
    """A transport whose commands first sleep on the host for an hour, unless interrupted."""

    def __init__(self, transport: Any, only: Callable[[str], bool] = lambda _: True) -> None:
        self._transport = transport
        self._only = only

    def run(self, host: Any, command: Any, *, timeout: float, **more: Any) -> Any:
        if self._only(command.render()):
            command, timeout = Command.of("sleep", SLEEP_MARK), 2 * AN_HOUR
        return self._transport.run(host, command, timeout=timeout, **more)

    def end(self, host: Any, tag: str) -> Any:
        return self._transport.end(host, tag)

    def close(self) -> None:
        self._transport.close()


def count_sleeping_commands() -> int:
    """Return how many of those commands run, on all hosts of the fleet together."""
    count = 0
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            count += file.read_bytes().split(b"\0")[:2] == [b"sleep", SLEEP_MARK.encode()]
        except OSError:
            continue
    return count


@contextmanager
def interrupt_listeners(*stacks: FullStack) -> Iterator[None]:
    """Listen for interrupting directives, as every worker process does beside its beats."""
    loop = asyncio.new_event_loop()

    async def listen_all() -> None:
        reactions = [(s.board, (Reaction(INTERRUPTING_KINDS, s.gate.interrupt),)) for s in stacks]
        await asyncio.gather(*(listen(*each) for each in reactions))

    task = loop.create_task(listen_all())

    def run() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(task)

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.3)  # mostly they listen by then; one that is late catches up
    try:
        yield
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        loop.close()


def claim_tasks(stack: FullStack, count: int) -> list[Claim]:
    """Create and claim `count` tasks, spread over all of those servers."""
    names = list(SERVERS)
    for number in range(count):
        line = receiving.NewIssue(text=f"점검 {number}", channel="web", sender="장하늘")
        receiving.receive_issue(stack.board, line)
    begun = beats.begin(stack.board, "dispatcher")
    assert begun is not None
    for number in range(count):
        claim = beats.claim_task(stack.board, begun)
        assert claim is not None
        assignments.file_triage(stack.board, claim, assignment(names[number % len(names)]))
    beats.end(stack.board, begun, "delegated", task_id=None, steps=0)
    begun = beats.begin(stack.board, "db-agent")
    assert begun is not None
    claims: list[Claim] = []
    while claim := beats.claim_task(stack.board, begun, frozenset(h.task_id for h in claims)):
        claims.append(claim)
    assert len(claims) == count
    # A beat has one claimed task: fifty at once would take fifty agents.
    with stack.board.database.transaction() as session:
        numbers = [h.task_id for h in claims]
        session.execute(update(Task).where(Task.task_id.in_(numbers)).values(run_id=begun.run_id))
    return claims


@contextmanager
def reads_in_flight(stack: FullStack, claims: list[Claim]) -> Iterator[list[Future[Any]]]:
    """Run a read for each claim, all on the hosts at the same time."""

    def read(claim: Claim) -> Any:
        grant = grants.grant_reads(stack.board, claim)
        service = {"service": SERVERS[grant.server_id]}
        return stack.gate.read(grant, ToolCall(tool="service.processes", args=service))

    with ThreadPoolExecutor(len(claims)) as threads:
        reads = [threads.submit(read, claim) for claim in claims]
        assert wait_until(lambda: count_sleeping_commands() >= len(claims)), [
            r for r in reads if r.done()
        ]
        yield reads
