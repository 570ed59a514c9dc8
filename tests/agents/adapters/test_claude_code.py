"""The Claude Code CLI as an employee: started as documented, it has our MCP server and no more."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cast import Cast
from outsiders import on_record, private_folder
from pages import application, serving
from sqlalchemy import text
from turns import LOCKS, TERMINATE, employ

from guardia.agents.adapters import claude_code, mcp_server, process
from guardia.agents.adapters.claude_code import Cli
from guardia.agents.adapters.errand import Errand, Means
from guardia.board.desk import view
from guardia.board.desk.outside import Ending
from guardia.board.lifecycle import State
from guardia.board.web import rights
from guardia.db.account import Account
from guardia.org.adapters import ClaudeCode
from guardia.org.keys import FileKeys

STAND_IN = Path(__file__).resolve().parents[2] / "support" / "claude_stand_in.py"
PLAN = {"because": "세션 7이 잠금을 쥐고 있습니다.", "actions": [TERMINATE]}
SCRIPT = [
    ["task", {}],
    ["server", {}],
    ["read", LOCKS],
    ["read", {"tool": "disk.usage", "args": {}}],
    ["read", {"tool": "database.locks", "args": {"service": "x; id"}}],
    ["shell", {"command": "id"}],
    ["note", {"text": "잠금을 살펴보았습니다."}],
    ["plan", PLAN],
    ["apply", {"plan_hash": "0" * 64}],
]


@pytest.fixture
def folder() -> Iterator[Path]:
    with private_folder() as found:
        yield found


@pytest.fixture
def interpreter(monkeypatch: pytest.MonkeyPatch) -> str:
    """Ours, since the stand-in needs the MCP client; where another account cannot reach it, the
    stand-in keeps ours."""
    other = Account("other", 61184, 61184)
    if os.geteuid() == 0 and not all(other.reaches(p) for p in (Path(sys.executable), STAND_IN)):
        monkeypatch.setattr(process, "account", lambda *_: None)
    return sys.executable


def cli(folder: Path, **more: Any) -> Cli:
    keys = FileKeys(folder / "secrets")
    keys.put("claude", "sk-planted-key")
    adapter = ClaudeCode.model_validate({"kind": "claude_code", "api_key": "claude", **more})
    return Cli(adapter, Errand(3, {"task": 1}, "http://b/api", "token-1"), Means(folder, keys))


def test_a_turn_over_mcp_reads_plans_and_is_refused_what_it_may_not(
    cast: Cast, folder: Path, interpreter: str
) -> None:
    adapter = {
        "kind": "claude_code",
        "command": [interpreter, str(STAND_IN)],
        "model": "claude-x",
        "environment": {"SCRIPT": json.dumps(SCRIPT)},
    }
    with serving(application(cast.desk)) as board:
        hold, hands = employ(
            cast, adapter, board, folder, folder / "secrets", grace=20, tools=("database.*",)
        )
    ended = on_record(cast.desk, "outside_ended")[0].detail
    assert ended["how"] == "ended", ended
    said = json.loads(ended["output"][: ended["output"].rindex("}") + 1])["said"]
    tools, task, host, read, forbidden, shell, unknown, note, plan, apply = said
    assert tools == sorted(mcp_server.VERBS)
    assert json.loads(task[1])["state"] == "PARSED" and json.loads(host[1])["kind"] == "DB"
    assert [call[0] for call in said[1:]] == [
        False, False, False, True, True, True, False, False, True]  # fmt: skip
    assert json.loads(read[1])["ok"] and forbidden[1].startswith("403")
    assert shell[1].startswith("422") and "no such tool" in unknown[1] and note[1]
    assert json.loads(plan[1])["state"] == "PENDING_APPROVAL" and apply[1].startswith("409")
    assert view.task(cast.desk, hold.task_id).state is State.PENDING_APPROVAL
    assert len(hands.sent) == 1 and ended["refusals"] == 3
    # What the CLI says that it used is on the agent's account.
    assert ended["usage"]["micro_usd"] == 12300
    with cast.desk.database.reading() as session:
        found = session.execute(text("select model, tokens_in, tokens_out from tb_model_call"))
        assert [tuple(row) for row in found] == [("claude-x", 123, 40)]


def test_its_call_leaves_it_no_tool_of_its_own_and_no_secret_in_sight(folder: Path) -> None:
    engaged = cli(folder, max_turns=7, base_url="http://gateway:8080")
    kit = engaged.outfit()
    words = list(kit.command)
    assert words[words.index("--tools") + 1] == "" and "--strict-mcp-config" in words
    assert words[words.index("--permission-mode") + 1] == "dontAsk"
    assert words[words.index("--setting-sources") + 1] == ""
    assert words[words.index("--max-turns") + 1] == "7" and "--max-budget-usd" in words
    assert not [w for w in words if "skip-permissions" in w or w.startswith("Bash")]
    seen = " ".join(words) + kit.stdin.decode() + "".join(kit.files.values())
    assert "sk-planted-key" not in seen and "token-1" not in seen
    assert kit.environment["ANTHROPIC_API_KEY"] == "sk-planted-key"
    assert kit.environment["ANTHROPIC_BASE_URL"] == "http://gateway:8080"
    assert engaged.masked("x sk-planted-key token-1") == "x •••••• ••••••"
    servers = json.loads(claude_code.config())["mcpServers"]
    assert list(servers) == ["guardia"] and servers["guardia"]["args"][-1] == "mcp"


@pytest.mark.parametrize(
    ("printed", "how"),
    [
        ('{"type": "result", "subtype": "error_max_turns", "is_error": true}', "failed"),
        ('{"type": "result", "subtype": "success", "result": 7, "usage": "lots"}', "ended"),
        ('{"type": "result", "subtype": "success", "total_cost_usd": "free"}', "ended"),
        ('{"type": "other"}', "ended"),
        ("[1", "ended"),
        ("", "ended"),
    ],
)
def test_whatever_it_prints_is_only_data(folder: Path, printed: str, how: str) -> None:
    found = cli(folder).told(Ending("ended", 0), printed, "")
    assert found.how == how
    if found.usage:
        assert all(isinstance(found.usage[n], int) for n in ("input_tokens", "micro_usd"))


def test_the_tools_are_exactly_the_calls_of_the_api() -> None:
    prefix = "/api/agent/tasks/{task_id}"
    routes = {r.removeprefix(prefix) for (_, r), rule in rights.ROUTES.items() if rule == "agent"}
    paths = {verb.path for verb in mcp_server.VERBS.values()}
    # A late answer is fetched by the server itself.
    assert paths | {"/calls/{call_id}"} == routes
