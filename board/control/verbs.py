"""Directives as data: what each verb leads to, whether it ends something, what it needs.

Pages and commands show the same consequences; `directives` carries the verbs out.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True, slots=True)
class DirectiveVerb:
    """One verb; its name is `board.verb.<name>` and its consequence `consequence` as text keys."""

    name: str
    ends: bool = False
    """Whether it ends or undoes work, so that a page asks for a confirmation."""
    needs_reason: bool = False
    argument: Literal["", "assignee", "priority"] = ""
    """What else it needs: a person or agent from a list, or a priority."""

    @property
    def consequence(self) -> str:
        """The text key of what it leads to."""
        return f"board.consequence.{self.name}"


_ALL = (
    DirectiveVerb("abort", ends=True),
    DirectiveVerb("pause"),
    DirectiveVerb("resume"),
    DirectiveVerb("manual", ends=True),
    DirectiveVerb("return"),
    DirectiveVerb("reanalyze"),
    DirectiveVerb("complete", ends=True, needs_reason=True),
    DirectiveVerb("rollback", ends=True, needs_reason=True),
    DirectiveVerb("reopen", needs_reason=True),
    DirectiveVerb("reassign", argument="assignee"),
    DirectiveVerb("priority", argument="priority"),
    DirectiveVerb("change", ends=True, needs_reason=True),
    DirectiveVerb("override", needs_reason=True),
)
DIRECTIVE_VERBS: MappingProxyType[str, DirectiveVerb] = MappingProxyType(
    {verb.name: verb for verb in _ALL}
)
