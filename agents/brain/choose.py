"""Which brain an agent's chart entry asks for."""

from __future__ import annotations

from guardia.agents.brain.embedded import EmbeddedBrain
from guardia.agents.brain.thought import Brain
from guardia.org.chart import BrainChoice


def brain_for(choice: BrainChoice, role_file: str | None = None) -> Brain:
    """The embedded brain, or the chat model of the entry with the embedded one behind it.

    ``role_file`` is the agent's instructions for a chat model, relative to ``agents/``.
    """
    if choice.kind == "embedded":
        return EmbeddedBrain()
    from guardia.agents.brain.chat import ChatBrain

    return ChatBrain(choice, EmbeddedBrain(), role_file)
