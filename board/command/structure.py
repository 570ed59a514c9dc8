"""The structure of a command, as the console shows it before it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Command:
    """One command: what to do, on which issue, with what.

    `action` is `none` for a text that is no command and `clarify` for one that cannot be
    understood safely; `params["about"]` then says what to ask for.
    """

    action: str
    sr_id: int | None = None
    target: str | None = None
    params: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the command as JSON, without what is absent."""
        found: dict[str, Any] = {"action": self.action}
        if self.sr_id is not None:
            found["sr_id"] = self.sr_id
        if self.target is not None:
            found["target"] = self.target
        return found | ({"params": self.params} if self.params else {})

    @classmethod
    def parse(cls, stored: dict[str, Any]) -> Command:
        """Return the command of its JSON."""
        number, target = stored.get("sr_id"), stored.get("target")
        params = dict(stored.get("params") or {})
        return cls(str(stored["action"]), number, target, params)


NONE = Command("none")

ACTIONS = (
    "reassign", "set_mode", "reanalyze", "abort", "rollback", "pause", "resume", "approve",
    "reject", "set_priority", "run_action", "wake", "escalate", "comment", "query", "kill_all",
    "release_all", "clarify", "none",
)  # fmt: skip

DESTRUCTIVE = frozenset({"abort", "rollback", "kill_all", "run_action", "approve"})
"""Actions that a text must never become by a misunderstanding."""


def clarify(about: str, sr_id: int | None = None) -> Command:
    """Ask for a `person`, `sr`, `server`, `agent` or `action`."""
    return Command("clarify", sr_id, None, {"about": about})


@dataclass(frozen=True, slots=True)
class Situation:
    """Where and when a command was typed."""

    user: str
    now: datetime
    sr_id: int | None = None
    """The issue whose page or thread it is, if any."""
    answers: tuple[tuple[str, str], ...] = ()
    """What questions back were about and what the person chose: `("server", "MOF-WAS-01")`."""

    def answered(self, *about: str) -> str | None:
        """Return what the person chose if a question was about one of these."""
        return next((value for name, value in self.answers if name in about), None)
