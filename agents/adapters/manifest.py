"""Manifest of an external agent: what it may know of its server, and its tools."""

from __future__ import annotations

from typing import Any

from guardia.i18n import t
from guardia.org import agent_permissions
from guardia.org.chart_model import AgentEntry
from guardia.org.directory import Host
from guardia.tools.catalog import CATALOG


def build_manifest(agent: AgentEntry, host: Host) -> dict[str, Any]:
    """Return the server's directory entry and the tools that the chart allows, as JSON."""
    return {"host": server_entry(host), "tools": tool_entries(agent)}


def server_entry(host: Host) -> dict[str, Any]:
    """Return the server without anything needed to reach it: no address, account, key or folder."""
    return {
        "server_id": host.server_id,
        "institution": host.institution,
        "kind": host.kind,
        "aliases": list(host.aliases),
        "services": [{"name": s.name, "kind": s.kind} for s in host.services],
    }


def tool_entries(agent: AgentEntry) -> list[dict[str, Any]]:
    """Return the tools with the JSON Schema of their arguments."""
    return [
        {
            "name": tool.name,
            "risk": tool.risk.name,
            "title": t(f"tools.{tool.name}.title"),
            "args": tool.args.model_json_schema(),
        }
        for tool in CATALOG.values()
        if agent_permissions.allows_tool(agent.tools, tool.name)
    ]
