"""Limits of one agent in the chart: which tools it may use, and how much it may take on."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

ToolPattern = Annotated[str, StringConstraints(pattern=r"^([a-z]+\.(\*|[a-z_]+)|\*)$")]
"""A tool's name, `family.*`, or `*`."""


class WorkLimits(BaseModel):
    """How much an agent may take on; an unset field sets no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    actions_per_plan: int | None = Field(default=None, ge=0, le=1000)
    """Changes in one plan."""
    parallel_tasks: int | None = Field(default=None, ge=1, le=1000)
    """Tasks begun at the same time, including those that wait for an approval."""


def allows_tool(patterns: tuple[str, ...] | None, tool: str) -> bool:
    """Return whether one of the patterns matches a tool; `None` allows all tools."""
    if patterns is None:
        return True
    family = tool.partition(".")[0]
    return not {tool, f"{family}.*", "*"}.isdisjoint(patterns)
