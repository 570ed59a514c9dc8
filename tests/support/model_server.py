"""A chat model server on loopback that speaks OpenAI's protocol and gives a test's answers.

It is as strict as the real ones: a wrong key, an unknown model, a malformed message or a schema
that strict decoding cannot honour is refused with the error that OpenAI and vLLM would return.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

MODEL = "guardia-test-8b"
KEY = "sk-test-0f3c"
_STRICT_KEYWORDS = {
    "object": {"type", "properties", "required", "additionalProperties"},
    "array": {"type", "items", "maxItems", "minItems"},
    "string": {"type", "enum", "pattern"},
}


@dataclass(frozen=True)
class CannedReply:
    """One answer of the server."""

    content: Any = None
    """The model's reply: text as it is, anything other than text as JSON."""
    finish: str = "stop"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    """Seconds of silence before the answer."""
    drip: float = 0.0
    """Seconds between the bytes of the answer."""
    body: bytes | None = None
    """The whole HTTP body, if it is not a completion."""
    padding: int = 0
    """So many blanks follow the body."""
    hang_up: bool = False
    usage: Any = field(
        default_factory=lambda: {"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42}
    )


def tokens_of(messages: list[dict[str, Any]]) -> int:
    """Count as a tokenizer with few Korean words does: 1.3 per syllable, 0.4 per other."""
    text = "".join(str(message["content"]) for message in messages)
    hangul = sum("\uac00" <= c <= "\ud7a3" for c in text)
    return round(1.3 * hangul + 0.4 * (len(text) - hangul)) + 16


Responder = Callable[[dict[str, Any]], CannedReply]


class RequestRejected(Exception):
    """The request violates the protocol."""

    def __init__(self, status: int, message: str, code: str) -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


class ModelServer:
    """The running server; `asked` and `headers` are the requests it received, in order."""

    post_path = "/v1/chat/completions"

    def __init__(self, *, key: str | None = None, window: int | None = None) -> None:
        self.key = key
        self.window = window
        """Tokens of prompt and answer that the model can hold; more is refused, as by vLLM."""
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.refusals: list[str] = []
        self.over = Event()
        self._respond: Responder = lambda _: CannedReply(status=500)
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> ModelServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """What an org chart names as `base_url`."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def replies(self, *answers: CannedReply) -> None:
        """Give these answers in turn, and the last one for ever."""
        turn: Iterator[CannedReply] = iter(answers)
        last = answers[-1]
        self._respond = lambda _: next(turn, last)

    def responds(self, respond: Responder) -> None:
        """Compute the answer from the request."""
        self._respond = respond

    def answer(self, headers: dict[str, str], body: dict[str, Any]) -> CannedReply:
        """Return the answer to a request. Raises `RequestRejected` if it is not valid."""
        self.headers.append(headers)
        if self.key is not None and headers.get("authorization") != f"Bearer {self.key}":
            raise RequestRejected(401, "Incorrect API key provided.", "invalid_api_key")
        self.asked.append(body)
        _check_request(body)
        self._check_window(body)
        return self._respond(body)

    def _check_window(self, body: dict[str, Any]) -> None:
        prompt, answer = tokens_of(body["messages"]), body.get("max_completion_tokens", 0)
        if self.window is not None and prompt + answer > self.window:
            raise RequestRejected(
                400,
                f"This model's maximum context length is {self.window} tokens. However, you"
                f" requested {prompt + answer} tokens ({prompt} in the messages, {answer} in the"
                " completion).",
                "context_length_exceeded",
            )

    def body(self, reply: CannedReply) -> bytes:
        """Return a response's HTTP body."""
        if reply.body is not None:
            return reply.body
        if reply.status >= 400:
            return self.problem(reply.status, "The server had an error.", "error")
        return completion(reply)

    def problem(self, status: int, message: str, code: str) -> bytes:
        """Return an error of this protocol."""
        kind = "server_error" if status >= 500 else "invalid_request_error"
        error = {"message": message, "type": kind, "param": None, "code": code}
        return json.dumps({"error": error}).encode()


def _check_request(body: dict[str, Any]) -> None:
    if body.get("model") != MODEL:
        raise RequestRejected(
            404, f"The model `{body.get('model')}` does not exist.", "model_not_found"
        )
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise RequestRejected(400, "'messages' must not be empty.", "invalid_request_error")
    for message in messages:
        if message.get("role") not in ("system", "user", "assistant"):
            raise RequestRejected(
                400, f"Invalid role {message.get('role')!r}.", "invalid_request_error"
            )
        if not isinstance(message.get("content"), str):
            raise RequestRejected(400, "'content' must be a string.", "invalid_request_error")
    form = body.get("response_format", {"type": "text"})
    if form["type"] == "json_schema":
        _check_strict(form["json_schema"]["schema"], "root")


def _check_strict(schema: dict[str, Any], place: str) -> None:
    kind = schema.get("type")
    if kind not in _STRICT_KEYWORDS:
        raise _bad_schema(place, f"type {kind!r}")
    strange = set(schema) - _STRICT_KEYWORDS[kind]
    if strange:
        raise _bad_schema(place, f"{sorted(strange)} not permitted")
    if kind == "object":
        if schema.get("additionalProperties") is not False:
            raise _bad_schema(place, "'additionalProperties' is required to be false")
        if set(schema.get("required", ())) != set(schema["properties"]):
            raise _bad_schema(place, "'required' must name every property")
        for name, inner in schema["properties"].items():
            _check_strict(inner, f"{place}.{name}")
    if kind == "array":
        _check_strict(schema["items"], f"{place}[]")
    if kind == "string" and "enum" in schema and not schema["enum"]:
        raise _bad_schema(place, "'enum' must not be empty")


def _bad_schema(place: str, why: str) -> RequestRejected:
    message = f"Invalid schema for response_format: In context={place}, {why}."
    return RequestRejected(400, message, "invalid_request_error")


def completion(reply: CannedReply) -> bytes:
    """Return a chat completion's HTTP body."""
    content = reply.content
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_790_000_000,
            "model": MODEL,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text, "refusal": None},
                    "logprobs": None,
                    "finish_reason": reply.finish,
                }
            ],
            "usage": reply.usage,
        },
        ensure_ascii=False,
    ).encode()


def _handler(server: ModelServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            server.paths.append(self.path)
            model = {"id": MODEL, "object": "model"}
            known = {"max_model_len": server.window} if server.window else {}
            models = {"object": "list", "data": [{**model, **known}]}
            self._send(200, json.dumps(models).encode(), {}, 0.0)

        def do_POST(self) -> None:
            server.paths.append(self.path)
            raw = self.rfile.read(int(self.headers.get("content-length", 0)))
            if self.path.partition("?")[0] != server.post_path:
                self._send(404, server.problem(404, "Not Found", "not_found"), {}, 0.0)
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                reply = server.answer(headers, json.loads(raw))
            except RequestRejected as refused:
                server.refusals.append(refused.message)
                problem = server.problem(refused.status, refused.message, refused.code)
                self._send(refused.status, problem, {}, 0.0)
                return
            server.over.wait(reply.delay)
            if reply.hang_up:
                self.close_connection = True
                return
            body = server.body(reply) + b" " * reply.padding
            self._send(reply.status, body, reply.headers, reply.drip)

        def _send(self, status: int, body: bytes, headers: dict[str, str], drip: float) -> None:
            # A client that has given up in the meantime is not the server's problem.
            with suppress(OSError):
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                for name, value in {"content-type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                for start in range(0, len(body), 1 if drip else max(len(body), 1)):
                    self.wfile.write(body[start : start + (1 if drip else len(body))])
                    self.wfile.flush()
                    if server.over.wait(drip):
                        return

        def log_message(self, format: str, *args: object) -> None:
            """Keep the tests' output quiet."""

    return Handler
