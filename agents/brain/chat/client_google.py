"""Client of Google's Gemini API with `responseJsonSchema`; needs the extra `google`."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import httpx

from guardia.agents.brain.chat.clients import (
    ChatReply,
    ChatRequest,
    ConnectionFailure,
    TokenUsage,
    read_usage,
    truncated_answer,
    unusable_answer,
)
from guardia.errors import Misconfigured
from guardia.i18n import t

_ADDRESS = "https://generativelanguage.googleapis.com"
_VERSION = "v1beta"


class GoogleClient:
    """Client for `provider: google`."""

    http_library: Any = httpx

    def __init__(self) -> None:
        """Raises `Misconfigured` if the extra is not installed."""
        try:
            import langchain_google_genai  # noqa: F401 - its 2 s are not the server's
        except ImportError as error:
            why = t("brain.extra_missing", extra="google")
            raise Misconfigured(what="google", why=why) from error

    def invoke(self, call: ChatRequest) -> Any:
        """Send one generation request."""
        from langchain_google_genai import ChatGoogleGenerativeAI

        # Set explicitly, so that no address, credential or cloud project of the environment takes
        # precedence. One attempt: `max_retries` counts the first.
        chat = ChatGoogleGenerativeAI(
            model=call.choice.model,
            api_key=_key(call),
            base_url=call.choice.base_url or _ADDRESS,
            vertexai=False,
            client_args={"trust_env": False},
            max_output_tokens=call.choice.max_tokens,
            max_retries=1,
            temperature=None,
        )
        # Its own client knows neither our bounds nor our certificates.
        chat.client = _google_client(call)
        _silence_warnings()
        messages = [("system", call.system), ("user", call.prompt.data)]
        return chat.invoke(
            messages,
            response_mime_type="application/json",
            response_json_schema=_supported_schema(call.prompt.schema),
        )

    def reply(self, message: Any) -> ChatReply:
        """Return the text of a complete answer; thinking tokens are charged as well."""
        usage = _usage(message.usage_metadata)
        finish_reason = message.response_metadata.get("finish_reason")
        if finish_reason == "MAX_TOKENS":
            raise truncated_answer(usage)
        if finish_reason != "STOP":
            raise unusable_answer("finishReason", usage)
        return ChatReply(str(message.text), usage)

    def classify_error(self, error: Exception) -> ConnectionFailure | int | None:
        """Classify an error: langchain's wrapped around Google's."""
        from google.genai.errors import APIError

        match error.__cause__ if isinstance(error.__cause__, APIError) else error:
            case TimeoutError() | httpx.TimeoutException():
                return ConnectionFailure.SLOW
            case APIError(code=int(status)):
                return status
            case httpx.TransportError():
                return ConnectionFailure.UNCONNECTED
        return None


def _key(call: ChatRequest) -> str:
    return call.key.get_secret_value() if call.key else "none"


def _google_client(call: ChatRequest) -> Any:
    from google.genai import Client
    from google.genai.types import HttpOptions

    def bounded(request: httpx.Request) -> None:
        # The library sets "no limit" on each request.
        request.extensions["timeout"] = call.client.timeout.as_dict()

    call.client.event_hooks = {"request": [bounded]}
    options = HttpOptions(
        base_url=call.choice.base_url or _ADDRESS, api_version=_VERSION, httpx_client=call.client
    )
    return Client(vertexai=False, api_key=_key(call), http_options=options)


def _silence_warnings() -> None:
    """Silence warnings of the libraries that repeat what the server sent."""
    warnings.filterwarnings("ignore", r"(?s).* is not a valid ", UserWarning)
    logging.getLogger("langchain_google_genai").setLevel(logging.ERROR)


def _usage(usage: object) -> TokenUsage:
    """Read the usage. The library turns missing counts into 0, but no prompt has 0 tokens."""
    counts = read_usage(usage, "input_tokens", "output_tokens")
    return TokenUsage(counts.tokens_in or None, counts.tokens_out)


def _supported_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return `schema` without patterns, which Gemini's decoding does not support.

    They remain as text for the model, and the parser enforces them.
    """
    kept = {name: value for name, value in schema.items() if name != "pattern"}
    if "pattern" in schema:
        kept["description"] = f"pattern: {schema['pattern']}"
    if "properties" in schema:
        kept["properties"] = {n: _supported_schema(s) for n, s in schema["properties"].items()}
        # Otherwise it may change the order: the reason must come before the choice.
        kept["propertyOrdering"] = list(schema["properties"])
    if "items" in schema:
        kept["items"] = _supported_schema(schema["items"])
    return kept
