"""TODO."""

from __future__ import annotations

from guardia.agents.brain.chat.clients import Wire


def of(provider: str) -> Wire:
    """The wire of a chart entry's provider; ``Misconfigured`` where its library is missing."""
    if provider == "anthropic":
        from guardia.agents.brain.chat.client_anthropic import AnthropicWire

        return AnthropicWire()
    if provider == "google":
        from guardia.agents.brain.chat.client_google import GoogleWire

        return GoogleWire()
    from guardia.agents.brain.chat.client_openai import OpenAIWire

    return OpenAIWire()
