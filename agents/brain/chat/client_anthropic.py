"""Anthropic's Messages API with ``output_config`` json_schema; needs the extra ``anthropic``."""

from __future__ import annotations

from typing import Any

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

_ADDRESS = "https://api.anthropic.com"


class AnthropicClient:
    """The wire of ``provider: anthropic``."""

    def __init__(self) -> None:
        """``Misconfigured`` where the extra is not installed."""
        try:
            import httpx2
            import langchain_anthropic  # noqa: F401
        except ImportError as error:
            why = t("brain.extra_missing", extra="anthropic")
            raise Misconfigured(what="anthropic", why=why) from error
        self.http_library: Any = httpx2

    def invoke(self, call: ChatRequest) -> Any:
        """One message."""
        import anthropic
        from langchain_anthropic import ChatAnthropic

        # Named, so that no address or credential of the environment comes in its place.
        address = call.choice.base_url or _ADDRESS
        key = call.key.get_secret_value() if call.key else "none"
        chat = ChatAnthropic(
            model=call.choice.model,
            base_url=address,
            api_key=key,
            max_tokens=call.choice.max_tokens,
            max_retries=0,
            streaming=False,
        )
        # It would make a client of its own, with the environment's proxy and without our bounds.
        chat.__dict__["_client"] = anthropic.Anthropic(
            api_key=key,
            base_url=address,
            http_client=call.client,
            timeout=call.client.timeout,
            max_retries=0,
        )
        messages = [("system", call.system), ("user", call.prompt.data)]
        # Decoding here knows neither lengths nor patterns: those stay as words for the model, and
        # the reader of the answer insists on them.
        schema = anthropic.transform_schema(call.prompt.schema)
        form = {"type": "json_schema", "schema": schema}
        return chat.invoke(messages, output_config={"format": form})

    def reply(self, message: Any) -> ChatReply:
        """The text of a message that ended its turn by itself."""
        said = message.response_metadata
        usage = _usage(said.get("usage"))
        ended = said.get("stop_reason")
        if ended == "max_tokens":
            raise truncated_answer(usage)
        if ended != "end_turn" or not isinstance(message.content, str):
            raise unusable_answer("stop_reason", usage)
        return ChatReply(message.content, usage)

    def classify_error(self, error: Exception) -> ConnectionFailure | int | None:
        """Its library's errors."""
        import anthropic

        match error:
            case TimeoutError() | anthropic.APITimeoutError():
                return ConnectionFailure.SLOW
            case anthropic.APIStatusError():
                return int(error.status_code)
            case anthropic.APIConnectionError():
                return ConnectionFailure.UNCONNECTED
        return None


def _usage(said: object) -> TokenUsage:
    """What is read from or written to a cache is counted apart, and paid for like the rest."""
    plain = read_usage(said, "input_tokens", "output_tokens")
    cached = read_usage(said, "cache_creation_input_tokens", "cache_read_input_tokens")
    parts = (plain.tokens_in, cached.tokens_in or 0, cached.tokens_out or 0)
    total = sum(p for p in parts if isinstance(p, int))
    return TokenUsage(total if all(isinstance(p, int) for p in parts) else None, plain.tokens_out)
