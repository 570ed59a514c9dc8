"""Claude Code CLI as an external agent: headless, with our MCP server as its only tools.

Flags and variables follow its own help and are tried with the real one in
`tests/agents/adapters/test_claude_cli.py`. Note that `--allowedTools` alone only skips the
permission prompt and removes no tool; `--tools ""` does.
"""

from __future__ import annotations

import json
import os
import sys
from importlib.resources import files
from pathlib import Path

import guardia
from guardia.agents.adapters.claude_stream import ClaudeStream
from guardia.agents.adapters.contract import HostResources, SessionSpec
from guardia.agents.adapters.process import LaunchSpec, ProcessAgent, base_environment
from guardia.board.external_agents.sessions import SessionEnd
from guardia.i18n import t
from guardia.org.adapters import ClaudeCodeAdapter

SERVER = "guardia"
OFFLINE_ENVIRONMENT = {
    # Metrics, error reports, feature flags, notices, updates: it would connect for them at every
    # start. It may only contact the model.
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_TELEMETRY": "1",
}
_API_KEY_VARIABLE = "ANTHROPIC_API_KEY"
_START_PROMPT = b"Work on your task now."


def cli_command(adapter: ClaudeCodeAdapter, folder: Path) -> tuple[str, ...]:
    """Return the CLI's command line. It contains neither the prompt nor a secret."""
    model = ("--model", adapter.model) if adapter.model else ()
    return (
        *adapter.command,
        "-p",
        "--bare",  # no hooks, memory, plugins or prompt of its own; the key is the only credential
        "--output-format",
        # with the usage of each message, so that a killed session is charged as well
        "stream-json",
        "--include-partial-messages",
        "--verbose",
        "--system-prompt-file",
        str(folder / "role.md"),
        "--mcp-config",
        str(folder / "mcp.json"),
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
    """Return the MCP configuration: our server over stdio, with the token from the environment."""
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


class ClaudeCodeAgent(ProcessAgent):
    """A running CLI."""

    adapter: ClaudeCodeAdapter
    output_limit = 256 * 1024 * 1024  # each word is a line of its own, and only sums are kept
    required_paths = (
        Path(sys.executable),
        Path(guardia.__file__),
    )  # without its tools it would only cost money

    def __init__(
        self, adapter: ClaudeCodeAdapter, spec: SessionSpec, resources: HostResources
    ) -> None:
        super().__init__(adapter, spec, resources)
        self._keys = resources.keys
        self._stream = ClaudeStream()

    def launch_spec(self) -> LaunchSpec:
        """Return the CLI with its instructions and MCP configuration in private files."""
        environment = {
            **base_environment(self.spec, self.folder),
            "CLAUDE_CONFIG_DIR": str(self.folder / "claude"),
            "CLAUDE_CODE_MAX_RETRIES": "3",  # ten would block a beat for minutes
            "MCP_TIMEOUT": "120000",  # ms; a busy host takes long to start Python
            "ENABLE_TOOL_SEARCH": "false",  # all tools are listed at once
            **self.adapter.environment,
            **OFFLINE_ENVIRONMENT,
        }
        if self.adapter.base_url:
            environment["ANTHROPIC_BASE_URL"] = self.adapter.base_url
        if self.adapter.api_key:
            environment[_API_KEY_VARIABLE] = self._keys.get(self.adapter.api_key)
        task = json.dumps(self.spec.task, ensure_ascii=False)
        files_to_write = {
            "role.md": _role_text(self.spec.role),
            "mcp.json": config(),
            "task.json": task,
        }
        return LaunchSpec(
            cli_command(self.adapter, self.folder), _START_PROMPT, environment, files_to_write
        )

    def on_output(self, chunk: bytes) -> None:
        """Read its report of the session as it is printed."""
        self._stream.feed(chunk)
        if self._stream.tools_missing:
            self._stop_requested.set()

    def mask_secrets(self, text: str) -> str:
        """Mask the token and the model's key."""
        key = self._keys.get(self.adapter.api_key) if self.adapter.api_key else ""
        text = super().mask_secrets(text)
        return text.replace(key, "••••••") if key else text

    def with_output(
        self, ending: SessionEnd, stdout_text: str = "", stderr_text: str = ""
    ) -> SessionEnd:
        """Add its final message, its usage, and whether it failed."""
        stream = self._stream
        stream.end()
        if not stream.has_output:
            return super().with_output(ending, stdout_text, stderr_text)
        how = (
            "failed"
            if stream.tools_missing or (stream.failed and ending.how == "ended")
            else ending.how
        )
        # With a result, its standard error is for programmers only.
        parts = (
            t("agents.outside.no_tools") if stream.tools_missing else "",
            stream.words,
            "" if stream.result else stderr_text,
        )
        text = self.mask_secrets("\n".join(part.strip() for part in parts if part.strip()))
        return SessionEnd(how, ending.exit, ending.left, text, stream.usage(self.adapter.model))


def _role_text(own: str) -> str:
    text = (files("guardia.agents.adapters") / "claude_code.md").read_text("utf-8")
    return f"{text}\n\n{own}".strip()
