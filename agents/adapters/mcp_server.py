"""Agent API as an MCP server over stdio: each tool is one call of the API.

It has no permissions of its own: it forwards each call with the token of its environment and
returns the board's response. Needs the `mcp` extra.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import httpx
import mcp.types as wire
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server
from pydantic import BaseModel, ConfigDict, Field

import guardia
from guardia.board.external_agents.schemas import (
    ApplyRequest,
    PlanProposal,
    TextBody,
    ToolUse,
    UsageReport,
)

_TIMEOUT = 120.0
_POLL_INTERVAL = 0.5
"""Seconds between polls for a result that takes longer than the API waits."""
_MAX_RESULT_CHARACTERS = 400_000
"""Maximum characters of a result. Claude Code would put longer ones into a file, but our agents
have no tool to read it; its own limit is 50,000."""


class _NoArguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _AfterArguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    after: int = Field(default=0, ge=0, description="Number of the last piece already seen")


@dataclass(frozen=True, slots=True)
class ApiTool:
    """One call of the API as a tool."""

    method: str
    path: str
    arguments_model: type[BaseModel]
    description: str


API_TOOLS: dict[str, ApiTool] = {
    "task": ApiTool(
        "GET", "", _NoArguments, "The task, its state, and its plan where there is one"
    ),
    "server": ApiTool("GET", "/server", _NoArguments, "The server that the task is about"),
    "tools": ApiTool("GET", "/tools", _NoArguments, "The catalogue: what read and plan may name"),
    "evidence": ApiTool(
        "GET", "/evidence", _AfterArguments, "What reads of this task have found so far"
    ),
    "read": ApiTool("POST", "/reads", ToolUse, "Read the server with a tool of risk READ"),
    "plan": ApiTool("POST", "/plan", PlanProposal, "File a plan; people decide on it"),
    "apply": ApiTool("POST", "/apply", ApplyRequest, "Have the approved plan carried out"),
    "finish": ApiTool("POST", "/finish", TextBody, "Nothing needs changing: say what was found"),
    "handover": ApiTool("POST", "/handover", TextBody, "Give the task to people"),
    "note": ApiTool("POST", "/notes", TextBody, "Write a note on the issue"),
    "usage": ApiTool("POST", "/usage", UsageReport, "Report what a model has used"),
    "end": ApiTool("POST", "/end", _NoArguments, "Done for now; nothing can be called afterwards"),
}


class AgentApiClient:
    """Client of the agent API for one task."""

    def __init__(self, api: str, token: str) -> None:
        self._api = api.rstrip("/")
        self._client = httpx.AsyncClient(
            headers={"authorization": f"Bearer {token}"},
            timeout=_TIMEOUT,
            follow_redirects=False,
            trust_env=False,
        )

    async def call(self, api_tool: ApiTool, arguments: dict[str, Any]) -> tuple[bool, str]:
        """Call the API. Returns whether it succeeded, and the response."""
        if api_tool.method == "GET":
            response = await self._client.get(self._api + api_tool.path, params=arguments)
        else:
            response = await self._client.post(self._api + api_tool.path, json=arguments)
        while response.status_code == httpx.codes.ACCEPTED:
            await asyncio.sleep(_POLL_INTERVAL)
            call_id = response.json()["call"].rpartition("/")[2]
            response = await self._client.get(f"{self._api}/calls/{call_id}")
        text = response.text or json.dumps({"status": response.status_code})
        return (
            response.is_success,
            text if response.is_success else f"{response.status_code} {text}",
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def create_server(board: AgentApiClient) -> Server[Any]:
    """Create the MCP server over a board."""

    async def list_tools(
        _context: ServerRequestContext[Any], _params: wire.PaginatedRequestParams | None
    ) -> wire.ListToolsResult:
        return wire.ListToolsResult(
            tools=[_tool_definition(name, api_tool) for name, api_tool in API_TOOLS.items()]
        )

    async def call_tool(
        _context: ServerRequestContext[Any], params: wire.CallToolRequestParams
    ) -> wire.CallToolResult:
        api_tool = API_TOOLS.get(params.name)
        if api_tool is None:
            return _call_result(f"no such tool: {params.name[:80]}", failed=True)
        try:
            done, text = await board.call(api_tool, params.arguments or {})
        except httpx.HTTPError as error:
            done, text = False, f"the board does not answer: {type(error).__name__}"
        return _call_result(text, failed=not done)

    return Server(
        "guardia", version=guardia.__version__, on_list_tools=list_tools, on_call_tool=call_tool
    )


def _tool_definition(name: str, api_tool: ApiTool) -> wire.Tool:
    return wire.Tool(
        name=name,
        description=api_tool.description,
        input_schema=api_tool.arguments_model.model_json_schema(),
        _meta={"anthropic/maxResultSizeChars": _MAX_RESULT_CHARACTERS},
    )


def _call_result(text: str, *, failed: bool) -> wire.CallToolResult:
    return wire.CallToolResult(content=[wire.TextContent(type="text", text=text)], is_error=failed)


async def serve(api: str, token: str) -> None:
    """Serve standard input and output until they are closed."""
    board = AgentApiClient(api, token)
    mcp_server = create_server(board)
    try:
        async with stdio_server() as (read, write):
            await mcp_server.run(read, write, mcp_server.create_initialization_options())
    finally:
        await board.close()
