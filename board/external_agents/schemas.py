"""Request bodies of external agents, with bounded sizes.

The API and the MCP server accept exactly these types, and the worker that executes a call validates
it against them again. They know no tools: the catalog checks the arguments when they are used.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from guardia.board.audit.canonical import clean
from guardia.text import TRIMMED, VISIBLE, CleanStr, clean_json

TOOL = r"^[a-z]{1,30}\.[a-z_]{1,40}$"
_MAX_ARGUMENTS_SIZE = 4000
Sentence = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=4000),
    TRIMMED,
    VISIBLE,
]


def _arguments(found: dict[str, Any]) -> dict[str, Any]:
    """Return arguments that can be hashed in a plan: no floats, not deeply nested, not large."""
    try:
        value = clean_json(clean(found))
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from None
    if len(json.dumps(value, ensure_ascii=False)) > _MAX_ARGUMENTS_SIZE:
        raise ValueError(f"more than {_MAX_ARGUMENTS_SIZE} characters")
    return dict(value)


Arguments = Annotated[dict[str, Any], Field(max_length=20), AfterValidator(_arguments)]
"""Arguments of one tool call. The tool itself validates them."""
ToolName = Annotated[str, StringConstraints(pattern=TOOL)]


class _Payload(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ToolUse(_Payload):
    """A tool of the catalog with its arguments."""

    tool: ToolName = Field(description="Name of a tool of the catalog, e.g. database.locks")
    args: Arguments = Field(default_factory=dict, description="Arguments by the schema of the tool")


class Expectation(_Payload):
    """A read whose findings must satisfy `expect` after all actions are done."""

    tool: ToolName
    args: Arguments = Field(default_factory=dict)
    expect: CleanStr = Field(
        min_length=1, max_length=500, description="JMESPath over the findings, truthy when it holds"
    )
    within: int = Field(default=0, ge=0, le=120, description="Seconds to keep looking")


class PlanProposal(_Payload):
    """A plan of tool calls, never commands. It is filed and hashed, then decided on by people."""

    because: Sentence = Field(description="The diagnosis, in Korean, from what was read")
    actions: tuple[ToolUse, ...] = Field(min_length=1, max_length=20)
    verify: tuple[Expectation, ...] = Field(default=(), max_length=10)


class ApplyRequest(_Payload):
    """Apply the approved plan that has exactly this hash."""

    plan_hash: str = Field(pattern=r"^[0-9a-f]{64}$")


class TextBody(_Payload):
    """A text for people."""

    text: Sentence


class UsageReport(_Payload):
    """Token usage of a model on this task since the last report."""

    model: Annotated[str, StringConstraints(pattern=r"^[\w.:/@-]{1,120}$")]
    input_tokens: int = Field(ge=0, le=10**8)
    output_tokens: int = Field(ge=0, le=10**8)
    won: int | None = Field(default=None, ge=0, le=10**9, description="What it cost, won")
