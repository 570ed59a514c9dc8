"""Take an issue from the person who has it; it waits in the queue of unassigned issues again."""

from __future__ import annotations

from guardia.board.assignment import history, queue
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import State
from guardia.board.issues import visibility
from guardia.db.engine import repeat_on_conflict
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo


@repeat_on_conflict
def unassign(board: BoardContext, by: PersonInfo, sr_id: int) -> bool:
    """Take an issue from its person; return whether one had it.

    Raises `NotFound` if `by` may not see the issue, `Refused` if it has ended.
    """
    require_permission(by, queue.ACTION)
    now, actor = board.clock(), Actor.of(by)
    with board.database.transaction() as session:
        visibility.find_issue(session, by, sr_id)
        issue, tasks = history.lock_open_issue(session, sr_id)
        if issue.assignee_id is None:
            return False
        history.withdraw_open(session, sr_id, actor, now)
        history.replace_confirmed(session, sr_id, ("person", "team"), actor, now)
        issue.assignee_id, issue.updated_at = None, now
        for task in tasks:
            task.owner_id = None
        why = t("assignment.unassigned", who=actor.label)
        if issue.status == State.MANUAL and not history.is_queued(session, sr_id):
            queue.enter_within(session, issue, why, actor, now)
        else:
            queue.log_unassigned(session, issue, actor, why, now)
        return True
