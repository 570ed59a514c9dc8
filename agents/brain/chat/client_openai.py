"""Client of OpenAI's chat completions with `response_format` json_schema: vLLM and others."""

from __future__ import annotations

from typing import Any

import httpx
from pydantic import SecretStr

from guardia.agents.brain.chat.clients import (
    ChatReply,
    ChatRequest,
    ConnectionFailure,
    read_usage,
    truncated_answer,
    unusable_answer,
)


class OpenAIClient:
    """Client for `provider: openai`."""

    http_library: Any = httpx

    def __init__(self) -> None:
        import langchain_openai  # noqa: F401 - its 2 s are not the server's

    def invoke(self, call: ChatRequest) -> Any:
        """Send one completion request."""
        from langchain_openai import ChatOpenAI

        chat = ChatOpenAI(
            model=call.choice.model,
            base_url=call.choice.base_url,
            api_key=call.key or SecretStr("none"),
            http_client=call.client,
            openai_proxy="",
            timeout=call.timeout,
            max_retries=0,
            temperature=0,
            max_completion_tokens=call.choice.max_tokens,
            use_responses_api=False,
            streaming=False,
        )
        messages = [("system", call.system), ("user", call.prompt.data)]
        form = {"name": call.prompt.name, "strict": True, "schema": call.prompt.schema}
        return chat.invoke(messages, response_format={"type": "json_schema", "json_schema": form})

    def reply(self, message: Any) -> ChatReply:
        """Return the text of a completion that stopped by itself."""
        metadata = message.response_metadata
        usage = read_usage(metadata.get("token_usage"), "prompt_tokens", "completion_tokens")
        finish_reason = metadata.get("finish_reason")
        if finish_reason == "length":
            raise truncated_answer(usage)
        if finish_reason != "stop" or not isinstance(message.content, str):
            raise unusable_answer("finish_reason", usage)
        return ChatReply(message.content, usage)

    def classify_error(self, error: Exception) -> ConnectionFailure | int | None:
        """Classify an error of its library."""
        import openai

        match error:
            case TimeoutError() | openai.APITimeoutError():
                return ConnectionFailure.SLOW
            case openai.APIStatusError():
                return error.status_code
            case openai.APIConnectionError():
                return ConnectionFailure.UNCONNECTED
            case openai.LengthFinishReasonError():
                usage = getattr(error.completion, "usage", None)
                raise truncated_answer(
                    read_usage(usage, "prompt_tokens", "completion_tokens")
                ) from None
        return None
