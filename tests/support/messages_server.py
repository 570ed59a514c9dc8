"""A model server on loopback that speaks Anthropic's Messages API as its library describes it."""

from __future__ import annotations

import json
from typing import Any

from model_server import ModelServer, Refused, Say

MODEL = "claude-test-1"
VERSION = "2026-10-21"
_KEYWORDS = {
    "object": {"type", "properties", "required", "additionalProperties", "description"},
    "array": {"type", "items", "minItems", "description"},
    "string": {"type", "enum", "description", "format"},
}
_NO_LENGTHS = "property '{}' is not supported"


class MessagesServer(ModelServer):
    """The same server with the other protocol."""

    post_path = "/v1/messages"

    @property
    def url(self) -> str:
        """What an org chart names as ``base_url``: without the version."""
        return super().url.removesuffix("/v1")

    def answer(self, headers: dict[str, str], body: dict[str, Any]) -> Say:
        """The answer to a request that holds; ``Refused`` else."""
        self.headers.append(headers)
        if headers.get("anthropic-version") != VERSION:
            raise Refused(400, "anthropic-version: header is required", "invalid_request_error")
        if self.key is not None and headers.get("authorization") != f"Bearer {self.key}":
            raise Refused(401, "invalid bearer token", "authentication_error")
        self.asked.append(body)
        _check_request(body)
        return self._respond(body)

    def body(self, said: Say) -> bytes:
        """A message as it goes over the wire."""
        if said.body is not None:
            return said.body
        if said.status >= 400:
            return self.problem(said.status, "The server had an error.", "api_error")
        content = said.content
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        message = {
            "id": "msg_01",
            "type": "message",
            "role": "assistant",
            "model": MODEL,
            "content": [{"type": "text", "text": text}],
            "stop_reason": {"stop": "end_turn", "length": "max_tokens"}.get(
                said.finish, said.finish
            ),
            "stop_sequence": None,
            "usage": said.usage,
        }
        return json.dumps(message, ensure_ascii=False).encode()

    def problem(self, status: int, message: str, code: str) -> bytes:
        """An error of this protocol."""
        error = {"type": code, "message": message}
        return json.dumps({"type": "error", "error": error, "request_id": "req_01"}).encode()


def _bad(message: str) -> Refused:
    return Refused(400, message, "invalid_request_error")


def _check_request(body: dict[str, Any]) -> None:
    if body.get("model") != MODEL:
        raise Refused(404, f"model: {body.get('model')}", "not_found_error")
    if not isinstance(body.get("max_tokens"), int) or body["max_tokens"] < 1:
        raise _bad("max_tokens: Field required")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise _bad("messages: at least one message is required")
    for message in messages:
        if message.get("role") not in ("user", "assistant"):
            raise _bad(f"messages: Unexpected role {message.get('role')!r}")
    if unknown := set(body) - {
        "model", "max_tokens", "messages", "system", "output_config", "temperature", "stream",
    }:  # fmt: skip
        raise _bad(f"{sorted(unknown)}: Extra inputs are not permitted")
    form = body.get("output_config", {}).get("format")
    if form is not None:
        if set(form) != {"type", "schema"} or form["type"] != "json_schema":
            raise _bad("output_config.format: Input should be a json_schema")
        _check_schema(form["schema"])


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
