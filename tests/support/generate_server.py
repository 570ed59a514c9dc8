"""A model server on loopback that speaks Gemini's `generateContent` as Google's library does."""

from __future__ import annotations

import json
from typing import Any

from model_server import CannedReply, ModelServer, RequestRejected

MODEL = "gemini-test-1"
_GENERATION = {
    "candidateCount", "maxOutputTokens", "responseMimeType", "responseJsonSchema", "stopSequences",
    "temperature", "thinkingConfig", "topK", "topP",
}  # fmt: skip
_FIELDS = {"contents", "systemInstruction", "generationConfig", "safetySettings"}
_KEYWORDS = {
    "type", "format", "title", "description", "enum", "items", "minItems", "maxItems", "minimum",
    "maximum", "anyOf", "properties", "additionalProperties", "required", "propertyOrdering",
}  # fmt: skip
_FINISH = {"stop": "STOP", "length": "MAX_TOKENS", "refusal": "SAFETY"}


class GenerateServer(ModelServer):
    """The model server with Google's protocol."""

    post_path = f"/v1beta/models/{MODEL}:generateContent"

    @property
    def url(self) -> str:
        """What an org chart names as `base_url`: without the version."""
        return super().url.removesuffix("/v1")

    def answer(self, headers: dict[str, str], body: dict[str, Any]) -> CannedReply:
        """Return the answer to a request. Raises `RequestRejected` if it is not valid."""
        self.headers.append(headers)
        given = headers.get("x-goog-api-key")
        if given is None:
            raise RequestRejected(
                403, "Method doesn't allow unregistered callers.", "PERMISSION_DENIED"
            )
        if self.key is not None and given != self.key:
            raise RequestRejected(
                400, "API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT"
            )
        self.asked.append(body)
        _check_request(body)
        return self._respond(body)

    def body(self, reply: CannedReply) -> bytes:
        """Return a response's HTTP body."""
        if reply.body is not None:
            return reply.body
        if reply.status >= 400:
            return self.problem(reply.status, "The server had an error.", "INTERNAL")
        content = reply.content
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        candidate = {
            "content": {"parts": [{"text": text}], "role": "model"},
            "finishReason": _FINISH.get(reply.finish, reply.finish),
            "index": 0,
        }
        answer = {"candidates": [candidate], "modelVersion": MODEL, "responseId": "r-1"}
        usage = {"usageMetadata": reply.usage} if reply.usage else {}
        return json.dumps({**answer, **usage}, ensure_ascii=False).encode()

    def problem(self, status: int, message: str, code: str) -> bytes:
        """Return an error of this protocol."""
        error = {"code": status, "message": message, "status": code}
        return json.dumps({"error": error}).encode()


def _bad(message: str) -> RequestRejected:
    return RequestRejected(400, f"Invalid JSON payload received. {message}", "INVALID_ARGUMENT")


def _check_request(body: dict[str, Any]) -> None:
    config = body.get("generationConfig", {})
    if unknown := (set(body) - _FIELDS) | (set(config) - _GENERATION):
        raise _bad(f"Unknown name {sorted(unknown)}: Cannot find field.")
    contents = body.get("contents")
    if not isinstance(contents, list) or not contents:
        raise RequestRejected(
            400, "* GenerateContentRequest.contents: not specified", "INVALID_ARGUMENT"
        )
    for content in contents:
        if content.get("role") not in ("user", "model"):
            raise RequestRejected(400, "Please use a valid role: user, model.", "INVALID_ARGUMENT")
        if not all(isinstance(part.get("text"), str) for part in content["parts"]):
            raise _bad("contents.parts: text")
    if "responseJsonSchema" in config:
        if config.get("responseMimeType") != "application/json":
            raise _bad("responseMimeType must be application/json")
        _check_schema(config["responseJsonSchema"])


def _check_schema(schema: dict[str, Any]) -> None:
    if strange := set(schema) - _KEYWORDS:
        raise _bad(f"responseJsonSchema: {sorted(strange)[0]} is not supported")
    for inner in schema.get("properties", {}).values():
        _check_schema(inner)
    if "items" in schema:
        _check_schema(schema["items"])
