#!/usr/bin/env python3
"""Stands in for the Claude Code CLI: its flags, its MCP configuration, its result; no model.

It starts the configured MCP server and talks to it with the official client, as the CLI does, and
does what a fixed list says that a model would: the file named by ``SCRIPT`` in its environment.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters


def flags() -> argparse.Namespace:
    """The flags of the real one that matter here; an unknown one ends it, as it ends the CLI."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("-p", "--print", action="store_true", required=True)
    parser.add_argument("--output-format", choices=["text", "json", "stream-json"], required=True)
    parser.add_argument("--mcp-config", type=Path, required=True)
    parser.add_argument("--strict-mcp-config", action="store_true")
    parser.add_argument("--tools")
    parser.add_argument("--allowedTools", default="")
    parser.add_argument("--permission-mode", choices=["default", "plan", "dontAsk"])
    parser.add_argument("--setting-sources")
    parser.add_argument("--disable-slash-commands", action="store_true")
    parser.add_argument("--no-session-persistence", action="store_true")
    parser.add_argument("--max-turns", type=int)
    parser.add_argument("--max-budget-usd", type=float)
    parser.add_argument("--model")
    return parser.parse_args()


def expanded(text: str) -> str:
    """``${NAME}`` as the CLI fills it in from its environment."""
    return re.sub(r"\$\{(\w+)\}", lambda m: os.environ.get(m[1], m[0]), text)


def server(config: Path) -> StdioServerParameters:
    """The one configured server."""
    ((name, found),) = json.loads(config.read_text("utf-8"))["mcpServers"].items()
    assert name == "guardia" and found["type"] == "stdio"
    environment = {key: expanded(value) for key, value in found["env"].items()}
    return StdioServerParameters(command=found["command"], args=found["args"], env=environment)


async def work(given: argparse.Namespace) -> list[Any]:
    """Call the tools of the script; a call that is not allowed is denied without asking."""
    said: list[Any] = []
    async with Client(server(given.mcp_config), mode="legacy") as client:
        listed = await client.list_tools()
        said.append(sorted(tool.name for tool in listed.tools))
        for name, arguments in json.loads(os.environ["SCRIPT"]):
            if not fnmatchcase(f"mcp__guardia__{name}", given.allowedTools):
                said.append("denied")
                continue
            told = json.loads(json.dumps(arguments).replace('"$PLAN"', json.dumps(said[-1])))
            found = await client.call_tool(name, told)
            text = found.content[0].text  # type: ignore[union-attr]
            said.append([bool(found.is_error), text[:2000]])
    return said


def main() -> None:
    """One headless turn."""
    given = flags()
    prompt = sys.stdin.read()
    assert "guardia" in prompt and os.environ["GUARDIA_TOKEN"] not in " ".join(sys.argv)
    said = asyncio.run(work(given))
    result = {
        "type": "result",
        "subtype": "success",
        "is_error": False,
        "duration_ms": 10,
        "num_turns": len(said),
        "result": json.dumps({"said": said, "flags": vars(given)}, default=str, ensure_ascii=False),
        "session_id": "00000000-0000-0000-0000-000000000000",
        "total_cost_usd": 0.0123,
        "usage": {
            "input_tokens": 100,
            "cache_creation_input_tokens": 20,
            "cache_read_input_tokens": 3,
            "output_tokens": 40,
        },
        "permission_denials": [],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
