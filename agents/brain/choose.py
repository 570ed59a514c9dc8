"""Which brain an agent's chart entry asks for."""

from __future__ import annotations

from guardia.agents.brain.embedded import EmbeddedBrain
from guardia.agents.brain.thought import Brain
from guardia.org.chart import BrainChoice


def brain_for(choice: BrainChoice) -> Brain:
    """The embedded brain, or the chat model of the entry with the embedded one behind it."""
    if choice.kind == "embedded":
        return EmbeddedBrain()
    from guardia.agents.brain.chat import ChatBrain

    return ChatBrain(choice, fallback=EmbeddedBrain())
