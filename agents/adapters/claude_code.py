"""The Claude Code CLI as an employee: headless, with our MCP server as its only tools.

Flags as the CLI's reference has them (https://code.claude.com/docs/en/cli-reference). Note that
``--allowedTools`` alone only spares the question and takes no tool away: ``--tools ""`` does.
"""

from __future__ import annotations

import json
import os
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

from guardia.agents.adapters.errand import Errand, Means
from guardia.agents.adapters.process import Kit, Program, common
from guardia.board.desk.outside import Ending
from guardia.org.adapters import ClaudeCode

SERVER = "guardia"
_KEY = "ANTHROPIC_API_KEY"
_TEXT = 4000


def command(adapter: ClaudeCode, config: Path) -> tuple[str, ...]:
    """The CLI's call. Neither the prompt nor anything secret is among its arguments."""
    model = ("--model", adapter.model) if adapter.model else ()
    return (
        *adapter.command,
        "-p",
        "--output-format",
        "json",
        "--mcp-config",
        str(config),
        "--strict-mcp-config",  # no server that someone else has configured
        "--tools",
        "",  # none of its own: no shell, no files, no web
        "--allowedTools",
        f"mcp__{SERVER}__*",
        "--permission-mode",
        "dontAsk",  # what is not allowed is denied, never asked
        "--setting-sources",
        "",  # no settings, hooks or plugins of this host
        "--disable-slash-commands",
        "--no-session-persistence",
        "--max-turns",
        str(adapter.max_turns),
        "--max-budget-usd",
        f"{adapter.max_budget_usd:g}",
        *model,
    )


def config() -> str:
    """The MCP configuration: our server over stdio, which takes the token from its environment."""
    passed = {name: f"${{{name}}}" for name in ("GUARDIA_API", "GUARDIA_TOKEN")}
    if path := os.environ.get("PYTHONPATH"):
        passed["PYTHONPATH"] = path
    server = {
        "type": "stdio",
        "command": sys.executable,
        "args": ["-m", "guardia", "mcp"],
        "env": passed,
    }
    return json.dumps({"mcpServers": {SERVER: server}})


class Cli(Program):
    """The CLI at work."""

    adapter: ClaudeCode

    def __init__(self, adapter: ClaudeCode, errand: Errand, means: Means) -> None:
        super().__init__(adapter, errand, means)
        self._keys = means.keys

    def outfit(self) -> Kit:
        """The CLI, its prompt on standard input, its MCP configuration in a private file."""
        environment = {
            **common(self.errand, self.folder),
            # It never asks home for anything but the model.
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "CLAUDE_CONFIG_DIR": str(self.folder / "claude"),
            **self.adapter.environment,
        }
        if self.adapter.base_url:
            environment["ANTHROPIC_BASE_URL"] = self.adapter.base_url
        if self.adapter.api_key:
            environment[_KEY] = self._keys.get(self.adapter.api_key)
        path = self.folder / "mcp.json"
        return Kit(
            command(self.adapter, path),
            _prompt(self.errand.role).encode(),
            environment,
            {"mcp.json": config(), "task.json": json.dumps(self.errand.task, ensure_ascii=False)},
        )

    def masked(self, text: str) -> str:
        """Without the token and the model's key."""
        key = self._keys.get(self.adapter.api_key) if self.adapter.api_key else ""
        text = super().masked(text)
        return text.replace(key, "••••••") if key else text

    def told(self, ending: Ending, printed: str = "", complained: str = "") -> Ending:
        """The CLI's own result: its last words, what it used, and whether it failed."""
        found = _result(printed)
        if found is None:
            return super().told(ending, printed, complained)
        failed = bool(found.get("is_error")) or found.get("subtype") != "success"
        said = found.get("result")
        words = said if isinstance(said, str) else str(found.get("subtype", ""))[:100]
        how = "failed" if failed and ending.how == "ended" else ending.how
        text = self.masked(words[:_TEXT])
        return Ending(how, ending.exit, ending.left, text, _usage(found, self.adapter.model))


def _prompt(role: str) -> str:
    text = (files("guardia.agents.adapters") / "claude_code.md").read_text("utf-8")
    return f"{text}\n\n{role}".strip()


def _result(printed: str) -> dict[str, Any] | None:
    """The result object that the CLI prints last, or nothing where it printed anything else."""
    try:
        found = json.loads(printed)
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.get("type") == "result" else None


def _usage(found: dict[str, Any], model: str | None) -> dict[str, Any]:
    """Tokens and cost as the CLI reports them; what is not a number counts nothing."""
    usage = found.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    read = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    cost = found.get("total_cost_usd")
    return {
        "model": model or "claude",
        "input_tokens": sum(_whole(counts.get(name)) for name in read),
        "output_tokens": _whole(counts.get("output_tokens")),
        # Millionths of a dollar: the record knows no fractions.
        "micro_usd": round(cost * 1_000_000) if isinstance(cost, int | float) and cost >= 0 else 0,
    }


def _whole(value: object) -> int:
    return value if isinstance(value, int) and 0 <= value <= 10**9 else 0
