"""The agent API as an MCP server over stdio: a chat model's tools are exactly the API's calls.

It holds no right of its own: it passes each call on with the token of its environment, and tells
the model what the board answers. Needs the ``mcp`` extra.
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
from guardia.board.external_agents.schemas import ApplyPetition, PlanPetition, Text, Usage, Use

_TIMEOUT = 120.0
_PAUSE = 0.5
"""Seconds between two looks at an answer that takes longer than the API waits."""
_LONGEST = 400_000
"""Characters of an answer. Claude Code would put longer ones into a file, for tools that an agent
of ours has not; its own measure is 50,000."""


class _Nothing(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _After(BaseModel):
    model_config = ConfigDict(extra="forbid")

    after: int = Field(default=0, ge=0, description="Number of the last piece already seen")


@dataclass(frozen=True, slots=True)
class Verb:
    """One call of the API as a tool."""

    method: str
    path: str
    takes: type[BaseModel]
    words: str


VERBS: dict[str, Verb] = {
    "task": Verb("GET", "", _Nothing, "The task, its state, and its plan where there is one"),
    "server": Verb("GET", "/server", _Nothing, "The server that the task is about"),
    "tools": Verb("GET", "/tools", _Nothing, "The catalogue: what read and plan may name"),
    "evidence": Verb("GET", "/evidence", _After, "What reads of this task have found so far"),
    "read": Verb("POST", "/reads", Use, "Read the server with a tool of risk READ"),
    "plan": Verb("POST", "/plan", PlanPetition, "File a plan; people decide on it"),
    "apply": Verb("POST", "/apply", ApplyPetition, "Have the approved plan carried out"),
    "finish": Verb("POST", "/finish", Text, "Nothing needs changing: say what was found"),
    "handover": Verb("POST", "/handover", Text, "Give the task to people"),
    "note": Verb("POST", "/notes", Text, "Write a note on the issue"),
    "usage": Verb("POST", "/usage", Usage, "Report what a model has used"),
    "end": Verb("POST", "/end", _Nothing, "Done for now; nothing can be called afterwards"),
}


class Board:
    """The agent API of one task."""

    def __init__(self, api: str, token: str) -> None:
        self._api = api.rstrip("/")
        self._client = httpx.AsyncClient(
            headers={"authorization": f"Bearer {token}"},
            timeout=_TIMEOUT,
            follow_redirects=False,
            trust_env=False,
        )

    async def call(self, verb: Verb, given: dict[str, Any]) -> tuple[bool, str]:
        """Whether it was done, and what the board says."""
        if verb.method == "GET":
            answer = await self._client.get(self._api + verb.path, params=given)
        else:
            answer = await self._client.post(self._api + verb.path, json=given)
        while answer.status_code == httpx.codes.ACCEPTED:
            await asyncio.sleep(_PAUSE)
            late = answer.json()["call"].rpartition("/")[2]
            answer = await self._client.get(f"{self._api}/calls/{late}")
        text = answer.text or json.dumps({"status": answer.status_code})
        return answer.is_success, text if answer.is_success else f"{answer.status_code} {text}"

    async def close(self) -> None:
        """Let the connections go."""
        await self._client.aclose()


def server(board: Board) -> Server[Any]:
    """The MCP server over a board."""

    async def listed(
        _context: ServerRequestContext[Any], _params: wire.PaginatedRequestParams | None
    ) -> wire.ListToolsResult:
        return wire.ListToolsResult(tools=[_tool(name, verb) for name, verb in VERBS.items()])

    async def called(
        _context: ServerRequestContext[Any], params: wire.CallToolRequestParams
    ) -> wire.CallToolResult:
        verb = VERBS.get(params.name)
        if verb is None:
            return _said(f"no such tool: {params.name[:80]}", failed=True)
        try:
            done, text = await board.call(verb, params.arguments or {})
        except httpx.HTTPError as error:
            done, text = False, f"the board does not answer: {type(error).__name__}"
        return _said(text, failed=not done)

    return Server("guardia", version=guardia.__version__, on_list_tools=listed, on_call_tool=called)


def _tool(name: str, verb: Verb) -> wire.Tool:
    return wire.Tool(
        name=name,
        description=verb.words,
        input_schema=verb.takes.model_json_schema(),
        _meta={"anthropic/maxResultSizeChars": _LONGEST},
    )


def _said(text: str, *, failed: bool) -> wire.CallToolResult:
    return wire.CallToolResult(content=[wire.TextContent(type="text", text=text)], is_error=failed)


async def serve(api: str, token: str) -> None:
    """Serve standard input and output until they are closed."""
    board = Board(api, token)
    serving = server(board)
    try:
        async with stdio_server() as (read, write):
            await serving.run(read, write, serving.create_initialization_options())
    finally:
        await board.close()
