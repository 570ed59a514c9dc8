"""A model server on loopback that speaks Anthropic's Messages API as its library describes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from model_server import CannedReply, ModelServer, RequestRejected

MODEL = "claude-test-1"
VERSION = "2026-10-21"
_VERSIONS = (VERSION, "2023-06-01")
_FIELDS = {
    "model", "max_tokens", "messages", "system", "output_config", "temperature", "stream", "tools",
    "tool_choice", "thinking", "metadata", "context_management", "stop_sequences",
}  # fmt: skip
_KEYWORDS = {
    "object": {"type", "properties", "required", "additionalProperties", "description"},
    "array": {"type", "items", "minItems", "description"},
    "string": {"type", "enum", "description", "format"},
}
_NO_LENGTHS = "property '{}' is not supported"


@dataclass(frozen=True)
class ToolUse:
    """The model calls a tool."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


class MessagesServer(ModelServer):
    """The model server with Anthropic's protocol, as one answer or as a stream of events."""

    post_path = "/v1/messages"
    _numbers = count(1)

    @property
    def url(self) -> str:
        """What an org chart names as `base_url`: without the version."""
        return super().url.removesuffix("/v1")

    def answer(self, headers: dict[str, str], body: dict[str, Any]) -> CannedReply:
        """Return the answer to a request. Raises `RequestRejected` if it is not valid."""
        self.headers.append(headers)
        if headers.get("anthropic-version") not in _VERSIONS:
            raise RequestRejected(
                400, "anthropic-version: header is required", "invalid_request_error"
            )
        given = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        if self.key is not None and given != self.key:
            raise RequestRejected(401, "invalid bearer token", "authentication_error")
        self.asked.append(body)
        _check_request(body)
        reply = self._respond(body)
        if not body.get("stream") or reply.body is not None or reply.status >= 400:
            return reply
        kind = {"content-type": "text/event-stream; charset=utf-8"}
        return replace(
            reply, body=event_stream(self.message(reply)), headers={**reply.headers, **kind}
        )

    def body(self, reply: CannedReply) -> bytes:
        """Return a response's HTTP body."""
        if reply.body is not None:
            return reply.body
        if reply.status >= 400:
            return self.problem(reply.status, "The server had an error.", "api_error")
        return json.dumps(self.message(reply), ensure_ascii=False).encode()

    def message(self, reply: CannedReply) -> dict[str, Any]:
        """Return the model's reply as an object of this protocol."""
        number, content = next(self._numbers), reply.content
        ended = {"stop": "end_turn", "length": "max_tokens"}.get(reply.finish, reply.finish)
        if isinstance(content, ToolUse):
            block = {
                "type": "tool_use",
                "id": f"toolu_{number:08}",
                "name": content.name,
                "input": content.arguments,
            }
            ended = "tool_use"
        else:
            text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
            block = {"type": "text", "text": text}
        return {
            "id": f"msg_{number:08}",
            "type": "message",
            "role": "assistant",
            "model": MODEL,
            "content": [block],
            "stop_reason": ended,
            "stop_sequence": None,
            "usage": reply.usage,
        }

    def problem(self, status: int, message: str, code: str) -> bytes:
        """Return an error of this protocol."""
        error = {"type": code, "message": message}
        return json.dumps({"type": "error", "error": error, "request_id": "req_01"}).encode()


def event_stream(message: dict[str, Any]) -> bytes:
    """Return a message as server-sent events."""
    lines = (f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events(message))
    return "".join(lines).encode()


def events(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the events of a message: input usage, the block in pieces, stop reason and usage."""
    usage, (block,) = message["usage"], message["content"]
    begun = {**usage, "output_tokens": 1}
    head = {**message, "content": [], "stop_reason": None, "usage": begun}
    yield {"type": "message_start", "message": head}
    empty = {"input": {}} if block["type"] == "tool_use" else {"text": ""}
    yield {"type": "content_block_start", "index": 0, "content_block": {**block, **empty}}
    yield {"type": "ping"}
    part, text = (
        ("partial_json", json.dumps(block["input"]))
        if block["type"] == "tool_use"
        else ("text", block["text"])
    )
    kind = "input_json_delta" if part == "partial_json" else "text_delta"
    for start in range(0, len(text), 40):
        piece = {"type": kind, part: text[start : start + 40]}
        yield {"type": "content_block_delta", "index": 0, "delta": piece}
    yield {"type": "content_block_stop", "index": 0}
    ended = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": ended, "usage": usage}
    yield {"type": "message_stop"}


def results(body: dict[str, Any]) -> list[str]:
    """Return the tool results so far, as the model receives them."""
    contents = (block.get("content", "") for block in _blocks(body["messages"], "tool_result"))
    return [content if isinstance(content, str) else content[0]["text"] for content in contents]


def _bad(message: str) -> RequestRejected:
    return RequestRejected(400, message, "invalid_request_error")


def _check_request(body: dict[str, Any]) -> None:
    if body.get("model") != MODEL:
        raise RequestRejected(404, f"model: {body.get('model')}", "not_found_error")
    if not isinstance(body.get("max_tokens"), int) or body["max_tokens"] < 1:
        raise _bad("max_tokens: Field required")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise _bad("messages: at least one message is required")
    if messages[0].get("role") != "user":
        raise _bad("messages: first message must use the user role")
    for message in messages:
        # "system" is for notices in between, after the first message.
        if message.get("role") not in ("user", "assistant", "system"):
            raise _bad(f"messages: Unexpected role {message.get('role')!r}")
    if unknown := set(body) - _FIELDS:
        raise _bad(f"{sorted(unknown)}: Extra inputs are not permitted")
    _check_tools(body.get("tools", []), messages)
    form = body.get("output_config", {}).get("format")
    if form is not None:
        if set(form) != {"type", "schema"} or form["type"] != "json_schema":
            raise _bad("output_config.format: Input should be a json_schema")
        _check_schema(form["schema"])


def _check_tools(tools: list[dict[str, Any]], messages: list[dict[str, Any]]) -> None:
    for tool in tools:
        if tool.get("input_schema", {}).get("type") != "object":
            raise _bad(f"tools: {tool.get('name')}: input_schema.type must be 'object'")
    used, answered = _blocks(messages, "tool_use"), _blocks(messages, "tool_result")
    if {block["id"] for block in used} != {block["tool_use_id"] for block in answered}:
        raise _bad("messages: each tool_use block must have a corresponding tool_result block")


def _blocks(messages: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    contents = (m["content"] for m in messages if isinstance(m["content"], list))
    return [block for content in contents for block in content if block["type"] == kind]


def _check_schema(schema: dict[str, Any]) -> None:
    kind = schema.get("type", "string" if "enum" in schema else None)
    if kind not in _KEYWORDS:
        raise _bad(f"output_config.format.schema: type {kind!r}")
    if strange := set(schema) - _KEYWORDS[kind]:
        raise _bad("output_config.format.schema: " + _NO_LENGTHS.format(sorted(strange)[0]))
    if kind == "object":
        if schema.get("additionalProperties") is not False:
            raise _bad("output_config.format.schema: 'additionalProperties' must be false")
        for inner in schema["properties"].values():
            _check_schema(inner)
    if kind == "array":
        _check_schema(schema["items"])
