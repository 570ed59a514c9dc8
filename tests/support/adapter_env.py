"""One session of an external agent on the seeded board: real tables and API, a fake server."""

from __future__ import annotations

import gc
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from board_env import BoardEnv
from external_agents import with_trusted_account
from page_env import PageClient, page_app
from pydantic import TypeAdapter
from waiting import PATIENCE

from guardia.agents import graph
from guardia.agents.adapters.contract import HostResources
from guardia.agents.adapters.manifest import build_manifest
from guardia.agents.adapters.runner import ExternalAgentRunner
from guardia.agents.adapters.session import AgentSession
from guardia.agents.adapters.tool_proxy import ToolProxy
from guardia.agents.state import AgentContext
from guardia.board.core.claims import Claim
from guardia.board.execution import grants
from guardia.board.external_agents import sessions
from guardia.board.external_agents.sessions import SessionEnd
from guardia.org.adapters import Adapter
from guardia.org.chart_model import AgentEntry
from guardia.org.credential_store import FileCredentialStore
from guardia.tools.gate import Gate
from guardia.tools.output import Output

NO_LOCKS = {"waiting": 0, "roots": [], "waiters": []}
LOCKS = {"tool": "database.locks", "args": {"service": "budgetdb"}}
TERMINATE = {
    "tool": "database.terminate_session",
    "args": {"service": "budgetdb", "pid": 7, "backend_start": "2026-11-20 05:00:00+00"},
}


class FakeTransport:
    """A server on which no session waits for a lock; records the commands it receives."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def run(self, host: Any, command: Any, **_more: Any) -> Output:
        self.sent.append(command.render())
        return Output(0, json.dumps(NO_LOCKS), "", 0.01)

    def end(self, host: Any, tag: str) -> bool:
        return True


class IdleEngagement:
    """An engagement that lasts until `leave` is set: the test itself acts as the agent."""

    def __init__(self) -> None:
        self.leave = threading.Event()

    async def start(self) -> None:
        return

    async def wait(self) -> None:
        import asyncio

        while not self.leave.is_set():
            await asyncio.sleep(0.02)

    async def stop(self) -> SessionEnd:
        return SessionEnd("ended", 0)


@dataclass
class AdapterRun:
    """The agent's side of a session, and what the test inspects."""

    env: BoardEnv
    claim: Claim
    token: str
    session_id: int
    transport: FakeTransport
    browser: PageClient
    endings: list[SessionEnd] = field(default_factory=list)

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """Send a request with this session's token, for its task unless `task` is given."""
        task, token = more.get("task", self.claim.task_id), more.get("token", self.token)
        return self.browser.request(
            method,
            f"/api/agent/tasks/{task}{path}",
            json=body,
            headers={"authorization": f"Bearer {token}"},
        )


def adapter_entry(adapter: dict[str, Any], tools: tuple[str, ...] | None = None) -> AgentEntry:
    """Return the specialist's chart entry with this adapter."""
    found: Any = TypeAdapter(Adapter).validate_python(adapter)
    return AgentEntry(id="db-agent", title="DB 전문가", duty="operate", adapter=found, tools=tools)


def adapter_context(env: BoardEnv, claim: Claim, transport: FakeTransport) -> AgentContext:
    """Return a beat's context; an external agent has neither our library nor our brain."""
    gate = Gate(env.board, transport, sleep=lambda _: None)
    return AgentContext(env.board, gate, None, None, claim, ())  # type: ignore[arg-type]


@contextmanager
def open_adapter_run(
    env: BoardEnv,
    claim: Claim | None = None,
    *,
    seconds: float = 60,
    calls: int = 200,
    tools: tuple[str, ...] | None = None,
) -> Iterator[AdapterRun]:
    """Open a session that is served until the end of the block."""
    claim, transport = claim or env.create_parsed_task(), FakeTransport()
    agent = adapter_entry({"kind": "process", "command": ["/bin/true"], "calls": calls}, tools)
    context = adapter_context(env, claim, transport)
    manifest = build_manifest(agent, context.gate.host(grants.grant_reads(env.board, claim)))
    session_id, token = sessions.open_session(
        env.board, claim, manifest, kind="process", seconds=round(seconds), budget=calls
    )
    engagement = IdleEngagement()
    proxy = ToolProxy(context, agent, session_id, graph.execution_graph())
    session = AgentSession(env.board, claim, proxy, session_id, seconds, grace=0.1)
    browser = PageClient(page_app(env.board), raise_server_exceptions=False)
    found = AdapterRun(env, claim, token, session_id, transport, browser)

    def run() -> None:
        ending = session.run(engagement)
        sessions.close_session(env.board, claim, session_id, ending)
        found.endings.append(ending)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield found
    finally:
        engagement.leave.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        drop_half_open_connections()


def run_adapter_once(
    env: BoardEnv, adapter: dict[str, Any], address: str, folder: Path, keys: Path, **more: Any
) -> tuple[Claim, FakeTransport]:
    """Run one whole session of such an agent on a new task."""
    claim, transport = env.create_parsed_task(), FakeTransport()
    runnable = adapter if adapter["kind"] == "http" else with_trusted_account(adapter)
    runner = ExternalAgentRunner(
        address, HostResources(folder, FileCredentialStore(keys)), grace=more.get("grace", 2.0)
    )
    # In a thread, like beats: this one may have a loop of its own (see `run_coroutine`).
    with ThreadPoolExecutor(1) as pool:
        pool.submit(
            runner.work,
            adapter_context(env, claim, transport),
            adapter_entry(runnable, more.get("tools")),
        ).result()
    drop_half_open_connections()
    return claim, transport


def drop_half_open_connections() -> None:
    """Close connections that an aborted session had only begun to open.

    psycopg leaves that to the garbage collector; until then the server waits up to a minute for the
    sign-in, and the database cannot be dropped.
    """
    gc.collect()
