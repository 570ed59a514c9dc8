"""Which brain an agent's chart entry asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guardia.agents.brain.embedded import EmbeddedBrain
from guardia.agents.brain.protocol import Brain
from guardia.org.brains import BrainChoice

if TYPE_CHECKING:
    from guardia.agents.brain.metering import UsageMeter


def brain_for(choice: BrainChoice, role_file: str | None = None, *, meter: UsageMeter) -> Brain:
    """The embedded brain, or the chat models of the entry with the embedded one behind them.

    ``role_file`` is the agent's instructions for a chat model, relative to ``agents/``; ``meter``
    pays for its questions.
    """
    if choice.kind == "embedded":
        return EmbeddedBrain()
    from guardia.agents.brain.chat.brain import ChatBrain

    return ChatBrain(choice, EmbeddedBrain(), role_file, meter=meter)
