"""What is known of a server after an undo: undone, unchanged, or unknown because it was lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agents_env import AgentsEnv, open_agents_env
from board_env import LEAD, SERVER, plan

from guardia.agents.nodes.undo import UndoResult, undo_actions
from guardia.board.approvals import decisions
from guardia.board.core.plan import Action, Risk, ToolCall
from guardia.board.execution import commands, tasks
from guardia.board.execution.commands import CommandResult, PlanStep
from guardia.org.model import Server

LEVEL = Action(
    call=ToolCall(
        tool="service.set_log_level",
        args={"service": "budgetdb", "level": "INFO", "previous": "DEBUG"},
    ),
    risk=Risk.CHANGE,
    effect="로그 수준 변경",
    command="…",
    undo=ToolCall(
        tool="service.set_log_level",
        args={"service": "budgetdb", "level": "DEBUG", "previous": "INFO"},
    ),
)


def undone(found: AgentsEnv, *, began: bool) -> UndoResult:
    """Undo an approved plan on a server that cannot be reached."""
    env, filed = found.env, plan("MAINTENANCE", LEVEL)
    service = SERVER.services[0].model_copy(update={"root": "/home/svc/srv/budgetdb"})
    with env.board.database.transaction() as session:
        session.get_one(Server, SERVER.server_id).services = [service.model_dump()]
    claim, _, bound = env.create_filed_plan(filed)
    decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=bound)
    grant = tasks.begin_execution(env.board, env.claim("db-agent"))
    if began:
        intent = commands.record_intent(env.board, grant, LEVEL.call, "…", PlanStep(0, "do"))
        commands.record_result(env.board, intent, CommandResult(True, {}, "", 1))
    return undo_actions(env.board, found.gate, grant, filed)


def test_a_server_that_is_lost_is_not_called_undone(database: Any, tmp_path: Path) -> None:
    with open_agents_env(database.owner, database.app, tmp_path) as found:
        done = undone(found, began=True)
        assert (done.restored, len(done.failed), done.lost) == ([], 1, True), done.failed


def test_without_a_change_nothing_was_undone(database: Any, tmp_path: Path) -> None:
    with open_agents_env(database.owner, database.app, tmp_path) as found:
        done = undone(found, began=False)
        assert (done.restored, done.failed, done.lost) == ([], [], False)
