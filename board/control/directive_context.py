"""A directive as a person requests it, and as it is carried out in its transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from guardia.board.control import rollback
from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import ActorKind, Move
from guardia.board.core.model import Directive, Issue, Task
from guardia.board.core.plan import Plan
from guardia.board.core.transitions import move_task
from guardia.errors import Refused
from guardia.i18n import t


@dataclass(frozen=True, slots=True)
class DirectiveRequest:
    """A directive as requested by a person."""

    verb: str
    reason: str = ""
    argument: str = ""
    """An agent's or engineer's id for `reassign`, `P1` to `P4` for `priority`, the hash of the plan
    that the person saw for `change`."""
    plan: Plan | None = None
    """The new plan for `change`: see `manual_plans`."""
    seen: str = ""
    """The state in which the person saw the task, as `seen_state` names it; empty if unknown."""


@dataclass(slots=True)
class DirectiveContext:
    """A directive in its transaction."""

    session: Session
    task: Task
    issue: Issue
    request: DirectiveRequest
    issued_by: Actor
    now: datetime
    detail: dict[str, Any] = field(default_factory=dict)
    after_log: Callable[[], object] | None = None
    """Called after the audit entry of the directive."""
    public: str = ""
    """What the requester reads of it; empty: nothing."""

    def create_directive(self, *, undo: bool = False) -> Directive:
        """Store the directive and revoke the claim on its task."""
        return rollback.create_directive(
            self.session,
            self.task,
            self.request.verb,
            self.issued_by,
            self.request.reason,
            self.now,
            undo=undo,
            detail=dict(self.detail),
        )

    def move(self, step: Move, **values: object) -> None:
        """Move the task as a person."""
        move_task(self.session, self.task, step, actor=ActorKind.PERSON, now=self.now, **values)

    def refusal(self, key: str, **words: object) -> Refused:
        """Return the error of a directive that a condition prevents."""
        return Refused(why=t(f"board.{key}", **words))
