"""Close an issue with a reason: as done by hand, or as not to be done."""

from __future__ import annotations

from typing import Literal

from guardia.board.control import directives
from guardia.board.control.directive_context import DirectiveRequest
from guardia.board.core.context import BoardContext
from guardia.board.core.reasons import require_reason
from guardia.board.issues import visibility
from guardia.errors import Refused
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo

Closing = Literal["completed", "not_planned"]
_VERBS: dict[Closing, str] = {"completed": "complete", "not_planned": "abort"}


def close(
    board: BoardContext, person: PersonInfo, sr_id: int, how: Closing, reason: str
) -> list[int]:
    """Issue the directive that ends each open task of an issue; return the tasks.

    Raises `NotFound` if the person may not see it, `Forbidden` without the directive's permission,
    `Refused` if no task can be closed so: only what people do themselves is completed by hand.
    """
    verb = _VERBS[how]
    visibility.require_issue(board, person, sr_id)
    require_permission(person, f"directive.{verb}")
    why = require_reason(reason)
    tasks = directives.eligible_tasks(board, sr_id, verb)
    if not tasks:
        raise Refused(why=t(f"issue.cannot_close.{how}"))
    for task_id in tasks:
        directives.issue_directive(board, person, task_id, DirectiveRequest(verb, why))
    return tasks
