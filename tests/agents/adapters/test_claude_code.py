"""How the Claude Code CLI is started, and how its output is read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from external_agents import shared_folder
from run_coroutine import run_in_own_loop

from guardia.agents.adapters import claude_code, mcp_server
from guardia.agents.adapters.claude_code import ClaudeCodeAgent
from guardia.agents.adapters.contract import HostResources, SessionSpec
from guardia.board.external_agents.sessions import SessionEnd
from guardia.board.site import permissions
from guardia.errors import Misconfigured
from guardia.org.adapters import ClaudeCodeAdapter
from guardia.org.credential_store import FileCredentialStore


@pytest.fixture
def folder() -> Iterator[Path]:
    with shared_folder() as found:
        yield found


def cli(folder: Path, **more: Any) -> ClaudeCodeAgent:
    keys = FileCredentialStore(folder / "secrets")
    keys.put("claude", "sk-planted-key")
    adapter = ClaudeCodeAdapter.model_validate({"kind": "claude_code", "api_key": "claude", **more})
    return ClaudeCodeAgent(
        adapter, SessionSpec(3, {"task": 1}, "http://b/api", "token-1"), HostResources(folder, keys)
    )


def test_its_command_line_has_no_own_tools_and_no_secrets(folder: Path) -> None:
    engaged = cli(folder, max_turns=7, base_url="http://gateway:8080")
    kit = engaged.launch_spec()
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
    assert engaged.mask_secrets("x sk-planted-key token-1") == "x •••••• ••••••"
    servers = json.loads(claude_code.config())["mcpServers"]
    assert list(servers) == ["guardia"] and servers["guardia"]["args"][-1] == "mcp"


@pytest.mark.parametrize(
    ("stdout_text", "stderr_text", "how", "output"),
    [
        ('{"type": "result", "subtype": "success", "result": "끝"}', "remark", "ended", "끝"),
        ('{"type": "result", "subtype": "error_max_turns", "errors": ["Reached 10"]}', "", "failed",
         "error_max_turns\nReached 10"),
        ('{"type": "assistant", "message": {"content": [{"text": "찾는 중"}]}}', "Killed", "ended",
         "찾는 중\nKilled"),
        ("Invalid API key", "sk-planted-key", "ended", "Invalid API key\n••••••"),
        ("", "error: unknown option '--bare'", "ended", "error: unknown option '--bare'"),
    ],
)  # fmt: skip
def test_people_read_its_final_text_or_why_there_is_none(
    folder: Path, stdout_text: str, stderr_text: str, how: str, output: str
) -> None:
    engaged = cli(folder)
    engaged.on_output(stdout_text.encode())
    found = engaged.with_output(SessionEnd("ended", 0), stdout_text, stderr_text)
    assert (found.how, found.output) == (how, output)


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to run it as someone else")
def test_it_is_not_started_without_access_to_our_tools(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "closed").mkdir(mode=0o700)
    monkeypatch.setattr(ClaudeCodeAgent, "required_paths", (folder / "closed" / "python",))
    with pytest.raises(Misconfigured, match="closed"):
        run_in_own_loop(cli(folder).start())


def test_the_chart_cannot_enable_other_traffic(folder: Path) -> None:
    asked = {"DISABLE_TELEMETRY": "0", "MCP_TIMEOUT": "9000"}
    environment = cli(folder, environment=asked).launch_spec().environment
    assert claude_code.OFFLINE_ENVIRONMENT.items() <= environment.items()
    assert environment["MCP_TIMEOUT"] == "9000"


def test_each_tool_is_one_call_of_the_api() -> None:
    prefix = "/api/agent/tasks/{task_id}"
    routes = {
        r.removeprefix(prefix) for (_, r), rule in permissions.ROUTES.items() if rule == "agent"
    }
    paths = {verb.path for verb in mcp_server.API_TOOLS.values()}
    # The MCP server itself fetches a late answer.
    assert paths | {"/calls/{call_id}"} == routes
