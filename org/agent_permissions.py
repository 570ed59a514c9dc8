"""What the chart lets one agent do: with which tools, on what of its own accord, and how much."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

ToolPattern = Annotated[str, StringConstraints(pattern=r"^([a-z]+\.(\*|[a-z_]+)|\*)$")]
"""A tool's name, ``family.*``, or ``*``."""


class WorkLimits(BaseModel):
    """How much an agent may take on; what is not named is not limited."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    actions_per_plan: int | None = Field(default=None, ge=0, le=1000)
    """Changes in one plan."""
    parallel_tasks: int | None = Field(default=None, ge=1, le=1000)
    """Tasks begun at once, those that wait for an approval included."""


def allows_tool(patterns: tuple[str, ...] | None, tool: str) -> bool:
    """Whether one of the patterns names a tool; ``None`` names all."""
    if patterns is None:
        return True
    family = tool.partition(".")[0]
    return not {tool, f"{family}.*", "*"}.isdisjoint(patterns)
