"""The adapter of an agent's entry: valid and invalid values."""

from __future__ import annotations

from typing import Any

import pytest
from external_agents import chart_with_adapter
from pydantic import TypeAdapter, ValidationError

from guardia.errors import Misconfigured
from guardia.org import chart
from guardia.org.adapters import Adapter

PARSER: TypeAdapter[Any] = TypeAdapter(Adapter)
PROCESS = {"kind": "process", "command": ["/opt/agent"]}
HTTP = {"kind": "http", "url": "https://agents.example/hook", "secret": "hook"}
GOOD = (
    PROCESS,
    HTTP,
    {"kind": "claude_code"},
    {"kind": "claude_code", "base_url": "http://gateway:8080", "api_key": "claude", "model": "m"},
    {**PROCESS, "timeout": "1h", "calls": 5},
    {**PROCESS, "environment": {"MODE": "fast"}, "limits": {"processes": 5}, "account": "agent"},
)
BAD = (
    {},
    {"kind": "shell", "command": ["x"]},
    {"kind": "process"},
    {**PROCESS, "command": []},
    {**PROCESS, "command": "/opt/agent --now"},
    {**PROCESS, "command": ["a\x00b"]},
    {**PROCESS, "shell": True},
    {**PROCESS, "timeout": "5h"},
    {**PROCESS, "timeout": "soon"},
    {**PROCESS, "calls": 0},
    {**PROCESS, "tools": ["database.*"]},
    {**PROCESS, "account": "root; id"},
    {**PROCESS, "environment": {"LD_PRELOAD": "x"}},
    {**PROCESS, "environment": {"GUARDIA_TOKEN": "x"}},
    {**PROCESS, "limits": {"processes": 0}},
    {**HTTP, "url": "file:///etc/passwd"},
    {**HTTP, "url": "http://user:secret@host/"},
    {**HTTP, "secret": "../key"},
    {"kind": "http", "url": "https://agents.example/hook"},
    {"kind": "claude_code", "max_budget_usd": 0},
    {"kind": "claude_code", "model": "m --dangerously-skip-permissions"},
)


@pytest.mark.slow
@pytest.mark.parametrize("adapter", GOOD)
def test_a_valid_adapter_is_parsed(adapter: dict[str, Any]) -> None:
    entry = chart.parse(chart_with_adapter(adapter)).agents[1]
    assert entry.adapter == PARSER.validate_python(adapter)


@pytest.mark.parametrize("adapter", BAD)
def test_an_invalid_adapter_is_refused(adapter: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PARSER.validate_python(adapter)
    with pytest.raises(Misconfigured):
        chart.parse(chart_with_adapter(adapter))


def test_only_operating_agents_can_be_external() -> None:
    for agent in ("dispatcher", "auditor"):
        with pytest.raises(Misconfigured, match="operate"):
            chart.parse(chart_with_adapter(PROCESS, agent))
