"""Charts with autonomy rules, and what agents and people do under them."""

from __future__ import annotations

from board_env import BoardEnv, plan

from guardia.board.core.actors import Actor
from guardia.board.core.claims import Claim
from guardia.board.core.plan import Action, Plan, Risk, ToolCall
from guardia.board.execution import commands, grants, tasks
from guardia.board.execution.commands import CommandResult, PlanStep
from guardia.board.organization import chart as organization_chart
from guardia.org import chart

LEVEL = {"service": "budgetdb", "level": "INFO", "previous": "DEBUG"}


def apply_autonomy(env: BoardEnv, rules: str, more: str = "") -> None:
    """Apply the shipped chart with these autonomy rules."""
    text = chart.shipped_chart_path().read_text("utf-8") + f"\nautonomy: {rules}\n{more}"
    organization_chart.apply_chart(env.board, text, Actor.operator("test"))


def reversible_plan(category: str = "MAINTENANCE", pid: int = 7) -> Plan:
    """Return a plan whose one action can be undone."""
    call = ToolCall(tool="service.set_log_level", args=LEVEL)
    back = ToolCall(tool="service.set_log_level", args={**LEVEL, "level": "DEBUG"})
    return plan(
        category,
        Action(call=call, risk=Risk.CHANGE, effect=f"로그 수준 변경 {pid}", command="…", undo=back),
    )


def run_action(env: BoardEnv, claim: Claim, given: Plan, *, ok: bool = True) -> None:
    """Carry out the first action of a started plan."""
    grant = grants.execution_grant(env.board, claim)
    step = PlanStep(0, "do")
    intent = commands.record_intent(env.board, grant, given.actions[0].call, "…", step)
    commands.record_result(env.board, intent, CommandResult(ok, {}, "", 3))


def observe(env: BoardEnv, given: Plan | None = None) -> Claim:
    """Return the claim whose plan was observed."""
    claim = env.create_parsed_task()
    assert tasks.file_plan(env.board, claim, given or plan()) is False
    return claim
