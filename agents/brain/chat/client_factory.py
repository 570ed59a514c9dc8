"""Create the client for a provider; its libraries are imported on first use."""

from __future__ import annotations

from guardia.agents.brain.chat.clients import ChatClient


def client_for(provider: str) -> ChatClient:
    """Return the client of a provider. Raises `Misconfigured` if its library is missing."""
    if provider == "anthropic":
        from guardia.agents.brain.chat.client_anthropic import AnthropicClient

        return AnthropicClient()
    if provider == "google":
        from guardia.agents.brain.chat.client_google import GoogleClient

        return GoogleClient()
    from guardia.agents.brain.chat.client_openai import OpenAIClient

    return OpenAIClient()
