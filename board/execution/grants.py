"""Grants for a claimed task: reads on its server, or the execution of its plan."""

from __future__ import annotations

from guardia.board.core.claims import Claim, Grant, claimed_task, read_claimed_task
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Task
from guardia.board.core.plan import Category, Plan
from guardia.board.execution.tasks import approved_plan, plan_approved_in_tables
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Refused
from guardia.i18n import t


def grant_reads(board: BoardContext, claim: Claim) -> Grant:
    """Return a grant for reads on the task's own server."""
    with board.database.reading() as session:
        task = read_claimed_task(session, claim)
        if task.target_server is None:
            raise Refused(why=t("board.no_server"))
        return Grant(claim, task.target_server, Category.READ_ONLY, None)


def execution_grant(board: BoardContext, claim: Claim) -> Grant:
    """Return the grant of a plan whose execution this claim has started or resumed.

    Verifies and signs nothing: `commands.record_intent` proves the approvals again before each
    change. Raises `Refused` if the task is not IN_PROGRESS or its plan is no longer approved.
    """
    with board.database.reading() as session:
        task = _require_begun(read_claimed_task(session, claim))
        return _grant(claim, task, plan_approved_in_tables(session, task))


@repeat_on_conflict
def resume_execution(board: BoardContext, claim: Claim) -> Grant:
    """Take over an execution that an earlier claim started, and return the plan's grant.

    Proves the approvals and signs a checkpoint like `tasks.begin_execution`: the earlier worker may
    have died between its START and the checkpoint.
    """
    with board.database.transaction() as session:
        task = _require_begun(claimed_task(session, claim))
        grant = _grant(claim, task, approved_plan(board, session, task))
    board.sign_checkpoint()
    return grant


def _require_begun(task: Task) -> Task:
    if task.status != State.IN_PROGRESS:
        raise Refused(why=t("board.not_approved"))
    return task


def _grant(claim: Claim, task: Task, plan: Plan) -> Grant:
    return Grant(claim, plan.server, plan.category, task.plan_hash)
