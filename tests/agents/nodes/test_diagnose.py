"""A read that is not for a service of the server is a finding, not an error of the agent."""

from __future__ import annotations

from typing import Any, cast

import pytest

from guardia.agents.nodes import diagnose
from guardia.board.core.plan import ToolCall
from guardia.errors import CommandFailed
from guardia.org.directory import Host, Service

HOST = Host(
    server_id="MOF-WAS-01",
    institution="MOF",
    kind="WAS",
    services=(Service(name="budget", kind="http", port=8080),),
)


@pytest.mark.parametrize(
    ("tool", "args", "why"),
    [
        ("disk.usage", {"service": "budget"}, "logs"),
        ("logs.patterns", {"service": "budget"}, "journal"),
        ("web.config_test", {"service": "budget"}, "nginx"),
        ("service.health", {"service": None}, "service"),
        ("service.health", {"service": "other"}, "other"),
    ],
)
def test_it_is_not_even_sent(tool: str, args: dict[str, Any], why: str) -> None:
    nothing = cast("Any", None)  # neither the gate nor the board is asked
    with pytest.raises(CommandFailed, match=why):
        diagnose.read_if_applicable(nothing, nothing, ToolCall(tool=tool, args=args), HOST)
