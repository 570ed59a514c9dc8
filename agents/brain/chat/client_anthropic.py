"""Client of Anthropic's Messages API with json_schema output; needs the extra `anthropic`."""

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
    """Client for `provider: anthropic`."""

    def __init__(self) -> None:
        """Raises `Misconfigured` if the extra is not installed."""
        try:
            import httpx2
            import langchain_anthropic  # noqa: F401
        except ImportError as error:
            why = t("brain.extra_missing", extra="anthropic")
            raise Misconfigured(what="anthropic", why=why) from error
        self.http_library: Any = httpx2

    def invoke(self, call: ChatRequest) -> Any:
        """Send one message."""
        import anthropic
        from langchain_anthropic import ChatAnthropic

        # Set explicitly, so that no address or credential of the environment takes precedence.
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
        # Otherwise it creates a client with the environment's proxy and without our bounds.
        chat.__dict__["_client"] = anthropic.Anthropic(
            api_key=key,
            base_url=address,
            http_client=call.client,
            timeout=call.client.timeout,
            max_retries=0,
        )
        messages = [("system", call.system), ("user", call.prompt.data)]
        # Constrained decoding here supports neither lengths nor patterns: they remain as text for
        # the model, and the parser enforces them.
        schema = anthropic.transform_schema(call.prompt.schema)
        form = {"type": "json_schema", "schema": schema}
        return chat.invoke(messages, output_config={"format": form})

    def reply(self, message: Any) -> ChatReply:
        """Return the text of a message that ended its turn by itself."""
        metadata = message.response_metadata
        usage = _usage(metadata.get("usage"))
        stop_reason = metadata.get("stop_reason")
        if stop_reason == "max_tokens":
            raise truncated_answer(usage)
        if stop_reason != "end_turn" or not isinstance(message.content, str):
            raise unusable_answer("stop_reason", usage)
        return ChatReply(message.content, usage)

    def classify_error(self, error: Exception) -> ConnectionFailure | int | None:
        """Classify an error of its library."""
        import anthropic

        match error:
            case TimeoutError() | anthropic.APITimeoutError():
                return ConnectionFailure.SLOW
            case anthropic.APIStatusError():
                return int(error.status_code)
            case anthropic.APIConnectionError():
                return ConnectionFailure.UNCONNECTED
        return None


def _usage(usage: object) -> TokenUsage:
    """Read the usage. Cached tokens are reported separately but charged as well."""
    plain = read_usage(usage, "input_tokens", "output_tokens")
    cached = read_usage(usage, "cache_creation_input_tokens", "cache_read_input_tokens")
    parts = (plain.tokens_in, cached.tokens_in or 0, cached.tokens_out or 0)
    total = sum(p for p in parts if type(p) is int)
    return TokenUsage(total if all(type(p) is int for p in parts) else None, plain.tokens_out)
