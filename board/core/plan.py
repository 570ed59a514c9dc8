"""A plan as data: the exact actions, their server, their checks and how each is undone.

Everything is concrete when a plan is filed, so its hash binds an approval to exactly these
commands. Texts are cleaned on construction, so people approve exactly what is stored. Standard
library and pydantic only.
"""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from guardia.text import CleanObject, CleanStr


class Risk(IntEnum):
    """Possible harm of a tool; ordered, so that a grant can limit it."""

    READ = 0
    CHANGE = 1
    DEPLOY = 2
    DESTRUCTIVE = 3


class Category(StrEnum):
    """Built-in categories of the approval policy; org_chart.yaml may add more."""

    READ_ONLY = "READ_ONLY"
    MAINTENANCE = "MAINTENANCE"
    DEPLOY_SECURE = "DEPLOY_SECURE"
    DESTRUCTIVE = "DESTRUCTIVE"
    FORCED = "FORCED"
    """A single action directed by a person, outside of any runbook."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ToolCall(_Value):
    """One tool with its arguments."""

    tool: CleanStr
    args: CleanObject = Field(default_factory=dict)


class Check(_Value):
    """A read whose parsed result must satisfy `expect`, a JMESPath expression."""

    call: ToolCall
    expect: CleanStr
    within: int = 0
    """Seconds to keep trying; 0 tries once. An integer because the plan is hashed."""
    sentence: CleanStr = ""
    """What it requires, in one Korean sentence. Empty in plans of earlier releases."""

    @model_serializer(mode="wrap")
    def _omit_empty_sentence(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave an empty sentence out, so that the hash of a stored plan stays the same."""
        fields: dict[str, Any] = handler(self)
        if not self.sentence:
            del fields["sentence"]
        return fields

    def unworded(self) -> Check:
        """Return the check without its sentence."""
        return self.model_copy(update={"sentence": ""})


class Action(_Value):
    """One change with its call, the checks before and after it, and its undo."""

    call: ToolCall
    risk: Risk
    effect: CleanStr
    """One Korean sentence that describes the effect."""
    command: CleanStr
    """The masked command, as a dry run shows it."""
    precheck: tuple[Check, ...] = ()
    verify: tuple[Check, ...] = ()
    undo: ToolCall | None = None
    undo_verify: tuple[Check, ...] = ()
    difference: CleanStr = Field(default="", exclude_if=lambda value: not value)
    """The difference to what is there, as a unified diff. Left out of the hash if there is none, so
    that approvals of plans from before it stay valid."""
    irreversible: CleanStr | None = None
    """Why there is no undo; exactly one of `undo` and `irreversible` is set."""

    def runs_like(self, other: Action) -> bool:
        """Return whether both run the same commands, ignoring their sentences.

        A newer release may word sentences differently, which must not void an approval.
        """
        return self._unworded() == other._unworded()

    def undoes_like(self, other: Action) -> bool:
        """Return whether both are undone by the same call.

        How the change itself would be made now does not matter: a release in between may make it
        by another command, and what was changed must still be undone.
        """
        return self.undo == other.undo

    def _unworded(self) -> Action:
        reason = None if self.irreversible is None else ""
        checks = {
            name: tuple(check.unworded() for check in getattr(self, name))
            for name in ("precheck", "verify", "undo_verify")
        }
        return self.model_copy(update={"effect": "", "irreversible": reason, **checks})


class Citation(_Value):
    """The passage of a document that a plan is based on."""

    document: CleanStr
    title: CleanStr
    version: int
    sha256: CleanStr
    passage: CleanStr
    path: CleanStr = Field(default="", exclude_if=lambda value: not value)
    """Link to the very place; empty: a runbook that ships with the product."""


class RuleException(_Value):
    """A site rule that a plan may break: part of the plan, so that approvals are bound to it."""

    rule: CleanStr
    version: int
    hash: CleanStr
    """Hash of the rule's content; another content voids the exception."""
    sentence: CleanStr
    why: CleanStr
    """What the rule forbids here."""
    reason: CleanStr
    """The reason of the person who asked for the exception."""


Reversibility = Literal["all", "some", "none"]


class Plan(_Value):
    """A plan for one task."""

    server: CleanStr
    category: CleanStr
    because: CleanStr
    """The diagnosis in Korean."""
    citation: Citation
    actions: tuple[Action, ...]
    verify: tuple[Check, ...] = ()
    """Checks after the last action."""
    not_before: CleanStr | None = Field(default=None, exclude_if=lambda value: value is None)
    """Earliest start (ISO 8601), if people asked for a later one. Left out of the hash without a
    value, so that approvals of plans from before it stay valid."""
    exceptions: tuple[RuleException, ...] = Field(default=(), exclude_if=lambda value: not value)
    """Site rules that it may break, which takes the approvals of FORCED as well."""
    references: tuple[Citation, ...] = Field(default=(), exclude_if=lambda value: not value)
    """Passages of documents that people should read beside it; they decide nothing."""

    @property
    def starts_at(self) -> datetime | None:
        """The earliest start as a time."""
        return datetime.fromisoformat(self.not_before) if self.not_before else None

    @property
    def irreversible(self) -> bool:
        """Whether any action cannot be undone."""
        return any(a.irreversible for a in self.actions)

    @property
    def reversibility(self) -> Reversibility:
        """How many of its actions can be undone."""
        final = sum(action.undo is None for action in self.actions)
        if not final:
            return "all"
        return "none" if final == len(self.actions) else "some"

    @property
    def risk(self) -> Risk:
        """The greatest risk of any action."""
        return max((a.risk for a in self.actions), default=Risk.READ)
