"""A plan as data: what exactly would be done, on which server, and how each step is undone.

Everything is concrete when a plan is filed (no value is worked out later), so its hash binds an
approval to exactly these commands. Its texts are clean as soon as it is made, so what people
approve is what is stored. Standard library and pydantic only.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

from pydantic import BaseModel, ConfigDict, Field

from guardia.text import CleanObject, CleanStr


class Risk(IntEnum):
    """How much harm a tool can do; ordered, so that a grant can bound it."""

    READ = 0
    CHANGE = 1
    DEPLOY = 2
    DESTRUCTIVE = 3


class Category(StrEnum):
    """Approval policy categories that ship; org_chart.yaml may add an institution's own."""

    READ_ONLY = "READ_ONLY"
    MAINTENANCE = "MAINTENANCE"
    DEPLOY_SECURE = "DEPLOY_SECURE"
    DESTRUCTIVE = "DESTRUCTIVE"
    FORCED = "FORCED"
    """A single action that a person orders outside of any procedure."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ToolCall(_Value):
    """One tool with its arguments."""

    tool: CleanStr
    args: CleanObject = Field(default_factory=dict)


class Check(_Value):
    """A read whose parsed findings must satisfy ``expect`` (a JMESPath expression, truthy)."""

    call: ToolCall
    expect: CleanStr
    within: int = 0
    """Whole seconds to keep trying; 0 is once. (No floats: a plan is hashed.)"""


class Action(_Value):
    """One change: its call, how it is checked before and after, and how it is undone."""

    call: ToolCall
    risk: Risk
    effect: CleanStr
    """One Korean sentence: what this will do."""
    command: CleanStr
    """The command as it would run, masked: what a dry run shows."""
    precheck: tuple[Check, ...] = ()
    verify: tuple[Check, ...] = ()
    undo: ToolCall | None = None
    undo_verify: tuple[Check, ...] = ()
    irreversible: CleanStr | None = None
    """Why there is no undo; exactly one of ``undo`` and ``irreversible`` is set."""

    def runs_like(self, other: Action) -> bool:
        """Return whether both run the same commands, however their sentences are worded.

        A newer release may word them differently: that must not void what people approved.
        """
        return self._unworded() == other._unworded()

    def _unworded(self) -> Action:
        reason = None if self.irreversible is None else ""
        return self.model_copy(update={"effect": "", "irreversible": reason})


class Citation(_Value):
    """The passage a plan rests on."""

    document: CleanStr
    title: CleanStr
    version: int
    sha256: CleanStr
    passage: CleanStr


class Plan(_Value):
    """What an agent proposes for one task."""

    server: CleanStr
    category: CleanStr
    because: CleanStr
    """Korean: the diagnosis, from evidence."""
    citation: Citation
    actions: tuple[Action, ...]
    verify: tuple[Check, ...] = ()
    """Checks of the whole, after the last action."""

    @property
    def irreversible(self) -> bool:
        """Whether it changes something that cannot be undone."""
        return any(a.irreversible for a in self.actions)

    @property
    def risk(self) -> Risk:
        """The greatest risk of any action."""
        return max((a.risk for a in self.actions), default=Risk.READ)
