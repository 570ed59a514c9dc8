"""The real Claude Code CLI as an external agent, with a fake model server behind it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from adapter_env import LOCKS, TERMINATE, run_adapter_once
from board_env import LEAD, BoardEnv
from external_agents import audit_entries, keep_own_account_unless_reachable, shared_folder
from messages_server import MODEL, MessagesServer, ToolUse, results
from model_server import KEY, CannedReply
from page_env import page_app, serve_app
from sqlalchemy import text
from waiting import AN_HOUR, PATIENCE, SettableClock

from guardia.agents.adapters import claude_code
from guardia.board.approvals import decisions
from guardia.board.control import directives
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core.claims import Claim
from guardia.board.core.lifecycle import State
from guardia.board.execution import view
from guardia.org.credential_store import FileCredentialStore

ROOT = Path(__file__).resolve().parents[3]
USAGE = {
    "input_tokens": 100,
    "cache_creation_input_tokens": 20,
    "cache_read_input_tokens": 3,
    "output_tokens": 40,
}
PLAN = {
    "because": "세션 7이 잠금을 쥐고 있습니다.",
    "actions": [TERMINATE],
    "verify": [{**LOCKS, "expect": "waiting == `0`"}],
}
_CONNECT = re.compile(r"sa_family=AF_INET6?, sin6?_port=htons\((\d+)\).*?\"([\d.:a-f]+)\"")

Step = ToolUse | str | Callable[[list[str]], ToolUse]


@pytest.fixture(scope="module")
def claude() -> Path:
    """The CLI installed by `make claude`."""
    found = list(ROOT.glob(".make/claude/node_modules/@anthropic-ai/claude-code-*/claude"))
    assert found, "the Claude Code CLI is not here: `make claude` fetches it from npm, once"
    return found[0]


@pytest.fixture
def folder() -> Iterator[Path]:
    with shared_folder() as found:
        FileCredentialStore(found / "secrets").put("claude", KEY)
        yield found


@pytest.fixture
def model() -> Iterator[MessagesServer]:
    with MessagesServer(key=KEY) as running:
        yield running


@pytest.fixture(autouse=True)
def _reachable(claude: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_own_account_unless_reachable(monkeypatch, Path(sys.executable), claude)


def script_model(model: MessagesServer, *steps: Step) -> None:
    """Script the model, one step for each tool result; the last one ends its turn."""

    def respond(body: dict[str, Any]) -> CannedReply:
        told = results(body)
        step = steps[len(told)]
        return CannedReply(step(told) if callable(step) else step, usage=USAGE)

    model.responds(respond)


def own_tool(name: str, arguments: dict[str, Any] | None = None) -> ToolUse:
    """Build a call of one of our MCP server's tools."""
    return ToolUse(f"mcp__guardia__{name}", arguments or {})


def apply_call(told: list[str]) -> ToolUse:
    """Build `apply` with the hash in the task."""
    return own_tool("apply", {"plan_hash": json.loads(told[0])["plan_hash"]})


def run_session(
    env: BoardEnv, folder: Path, model: MessagesServer, command: list[str], **more: Any
) -> tuple[Claim, list[str], dict[str, Any], str]:
    """Run one session of the CLI. Returns its claim, the requests, its entry and the URL."""
    adapter = {
        "kind": "claude_code",
        "command": command,
        "model": MODEL,
        "base_url": model.url,
        "api_key": "claude",
        **{name: more.pop(name) for name in ("timeout", "environment") if name in more},
    }
    with serve_app(page_app(env.board)) as board_url:
        claim, transport = run_adapter_once(
            env,
            adapter,
            board_url,
            folder,
            folder / "secrets",
            grace=60,
            tools=("database.*",),
            **more,
        )
    return claim, transport.sent, audit_entries(env.board, "outside_ended")[-1].detail, board_url


def charged_usage(env: BoardEnv) -> list[tuple[str, int, int]]:
    with env.board.database.reading() as session:
        rows = session.execute(text("select model, tokens_in, tokens_out from tb_model_call"))
        return [(row[0], row[1], row[2]) for row in rows]


def alive(mark: str) -> int:
    """Return the processes with `mark` in their arguments or environment."""
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        for file in ("cmdline", "environ"):
            try:
                count += mark.encode() in (process / file).read_bytes()
            except OSError:
                continue
    return count


def tracer(log: Path) -> list[str]:
    """Return a command that records a program's connections, if this host permits tracing."""
    strace = shutil.which("strace")
    if (
        strace is None
        or subprocess.run([strace, "-o", "/dev/null", "true"], check=False).returncode
    ):
        return []
    log.touch()
    log.chmod(0o666)
    return [strace, "-fqq", "--seccomp-bpf", "--trace=connect", "-o", str(log)]


def approve_plan(env: BoardEnv, claim: Claim) -> None:
    """Approve the filed plan of a task."""
    filed = view.plan_state(env.board, claim.task_id).plan_hash or ""
    decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=filed)


def connections_in(log: Path) -> set[str]:
    """Return the addresses that a traced program has connected to."""
    return {f"http://{host}:{port}" for port, host in _CONNECT.findall(log.read_text())}


def check_conversation(model: MessagesServer) -> None:
    """Check that every request to the model has our tools and our prompt only."""
    tools = {tool["name"] for asked in model.asked for tool in asked["tools"]}
    assert tools and all(name.startswith("mcp__guardia__") for name in tools)
    assert "GUARDiA" in str(model.asked[0]["system"]) and not model.refusals
    assert set(model.paths) == {"/v1/messages?beta=true"}


@pytest.mark.slow
def test_it_works_on_its_task_through_the_board_only(
    env: BoardEnv, folder: Path, model: MessagesServer, claude: Path
) -> None:
    log = folder / "connects"
    traced = tracer(log)
    script_model(
        model,
        own_tool("task"),
        own_tool("server"),
        own_tool("read", LOCKS),
        own_tool("read", {"tool": "disk.usage", "args": {}}),
        own_tool("read", {"tool": "database.locks", "args": {"service": "x; id"}}),
        ToolUse("Bash", {"command": "id"}),
        own_tool("note", {"text": "잠금을 살펴보았습니다."}),
        own_tool("plan", PLAN),
        own_tool("apply", {"plan_hash": "0" * 64}),
        "잠금을 쥔 세션을 찾아 계획을 올렸습니다.",
    )
    claim, sent, ended, board_url = run_session(env, folder, model, [*traced, str(claude)])
    assert (ended["how"], ended["exit"]) == ("ended", 0), ended
    assert ended["output"] == "잠금을 쥔 세션을 찾아 계획을 올렸습니다."
    task, host, read, forbidden, shell, bash, note, plan, apply = results(model.asked[-1])
    assert json.loads(task)["state"] == "PARSED" and json.loads(host)["kind"] == "DB"
    assert json.loads(read)["ok"] and note and json.loads(plan)["state"] == "PENDING_APPROVAL"
    assert forbidden.startswith("403") and shell.startswith("422") and apply.startswith("409")
    assert "No such tool available: Bash" in bash
    assert view.task(env.board, claim.task_id).state is State.PENDING_APPROVAL
    # Its own read, and the precheck of the plan that it filed.
    assert len(sent) == 2 and not [line for line in sent if "pg_terminate_backend" in line]
    assert ended["refusals"] == 3
    check_conversation(model)
    assert charged_usage(env) == [(MODEL, 10 * 123, 10 * 40)]
    if traced:
        assert connections_in(log) == {model.url, board_url}

    approve_plan(env, claim)
    script_model(model, own_tool("task"), apply_call, "끝냈습니다.")
    again = env.claim("db-agent")
    claim, sent, ended, _ = run_session(env, folder, model, [str(claude)], claim=again)
    assert json.loads(results(model.asked[-1])[1])["state"] == "COMPLETED", ended
    assert view.task(env.board, claim.task_id).state is State.COMPLETED and sent
    assert charged_usage(env)[1:] == [(MODEL, 3 * 123, 3 * 40)]


@pytest.mark.slow
def test_without_the_boards_tools_it_does_not_start(
    env: BoardEnv,
    folder: Path,
    model: MessagesServer,
    claude: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = json.loads(claude_code.config())
    broken["mcpServers"]["guardia"]["args"] = ["-c", "raise SystemExit(1)"]
    monkeypatch.setattr(claude_code, "config", lambda: json.dumps(broken))
    model.replies(CannedReply("무엇을 할까요?", delay=AN_HOUR))
    claim, _, ended, _ = run_session(env, folder, model, [str(claude)])
    assert ended["how"] == "failed" and "guardia[mcp]" in ended["output"], ended
    assert view.task(env.board, claim.task_id).state is State.MANUAL


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "state"), [("overruled", State.ABORTED), ("timeout", State.MANUAL)]
)
def test_however_it_ends_nothing_is_left_and_its_usage_is_booked(
    env: BoardEnv,
    folder: Path,
    model: MessagesServer,
    claude: Path,
    loop_clock: SettableClock,
    how: str,
    state: State,
) -> None:
    mark, waits = f"session-{os.getpid()}-{how}", threading.Event()

    def respond(body: dict[str, Any]) -> CannedReply:
        if results(body):
            waits.set()
            return CannedReply("?", delay=AN_HOUR)
        return CannedReply(own_tool("task"), usage=USAGE)

    def end() -> None:
        assert waits.wait(PATIENCE)
        if how == "timeout":
            loop_clock.ahead += AN_HOUR
            return
        (task,) = audit_entries(env.board, "outside_opened")
        directives.issue_directive(
            env.board, LEAD, task.task_id or 0, DirectiveRequest("abort", "그만")
        )

    model.responds(respond)
    ender = threading.Thread(target=end)
    ender.start()
    claim, _, ended, _ = run_session(
        env, folder, model, [str(claude)], environment={"MARK": mark}, timeout="1h"
    )
    assert ended["how"] == how and ended["left"] >= 1, ended
    assert alive(mark) == 0 and not list(folder.glob("run-*"))
    assert view.task(env.board, claim.task_id).state is state
    ender.join()
    if how == "overruled":
        assert charged_usage(env) == [(MODEL, 123, 40)]
        assert ended["usage"]["micro_usd"] is None
