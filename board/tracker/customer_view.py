"""What customers read of the end of their request: cause, action and result in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from guardia.board.core.lifecycle import State
from guardia.board.core.model import Issue, Task
from guardia.board.core.plan import Plan
from guardia.i18n import t


@dataclass(frozen=True, slots=True)
class Resolution:
    """How a request was settled. Requesters get the same words by their channel."""

    causes: tuple[str, ...]
    actions: tuple[str, ...]
    result: str


def resolution(
    issue: Issue, tasks: Iterable[Task], by_hand: Iterable[str] = ()
) -> Resolution | None:
    """Return how a completed request was settled; `None` while it is open or ended otherwise.

    `by_hand` is what people wrote for the requester about the work that they did themselves.
    """
    if issue.status != State.COMPLETED:
        return None
    done = [task for task in tasks if task.status == State.COMPLETED]
    plans = [Plan.model_validate(task.plan) for task in done if task.plan is not None]
    causes = tuple(dict.fromkeys(plan.because for plan in plans))
    actions = [action.effect for plan in plans for action in plan.actions]
    actions += by_hand
    if not actions and any(task.plan is None for task in done):
        actions = [t("web.customer.by_hand")]
    return Resolution(causes, tuple(dict.fromkeys(actions)), t("web.ending.COMPLETED"))
