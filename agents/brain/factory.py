"""Create the brain that an agent's chart entry configures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guardia.agents.brain.embedded import EmbeddedBrain
from guardia.agents.brain.protocol import Brain
from guardia.org.brains import BrainChoice

if TYPE_CHECKING:
    from guardia.agents.brain.metering import UsageMeter


def brain_for(choice: BrainChoice, role_file: str | None = None, *, meter: UsageMeter) -> Brain:
    """Return the embedded brain, or the entry's chat models with the embedded one as fallback.

    `role_file` holds the agent's instructions for a chat model, relative to `agents/`. `meter`
    charges its calls.
    """
    if choice.kind == "embedded":
        return EmbeddedBrain()
    from guardia.agents.brain.chat.brain import ChatBrain

    return ChatBrain(choice, EmbeddedBrain(), role_file, meter=meter)
