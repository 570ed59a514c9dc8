"""Which changes an operator has to enable: those that follow a vendor's manual, untried here.

The setting `GUARDIA_ENABLED_TOOLS` names them. Planning refuses the others, and so does the gate
before it runs one; an undo is never refused.
"""

from __future__ import annotations

from typing import Any

from guardia.board.core.plan import Risk
from guardia.errors import Refused
from guardia.i18n import t
from guardia.org import agent_permissions
from guardia.settings import Settings
from guardia.tools.tool import Tool


def is_enabled(tool: Tool[Any]) -> bool:
    """Return whether a tool may be planned and run: reads and tried changes always."""
    if tool.risk is Risk.READ or not tool.manual:
        return True
    return agent_permissions.allows_tool(Settings().enabled_tool_patterns, tool.name)


def require_enabled(tool: Tool[Any]) -> None:
    """Raise `Refused` if an operator has not enabled the tool."""
    if not is_enabled(tool):
        raise Refused(
            why=t("tools.enabled.off", title=t(f"tools.{tool.name}.title"), tool=tool.name)
        )


def untried_note(tool: Tool[Any]) -> str:
    """Say that a tool follows a manual, and which one; empty for a tool that was tried."""
    return t("tools.enabled.manual", source=tool.manual) if tool.manual else ""
