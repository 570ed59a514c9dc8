"""Whether the chart lets an agent do what it is about to do. What cannot be told is refused."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.orm import Session

from guardia.board.core.claims import Claim
from guardia.board.core.plan import Plan, ToolCall
from guardia.board.core.run_model import Run
from guardia.errors import Refused
from guardia.i18n import t
from guardia.org import agent_permissions, revisions
from guardia.org.chart_model import AgentEntry
from guardia.org.model import Agent


def chart_entry_of(session: Session, agent_id: str | None, run_id: int | None = None) -> AgentEntry:
    """The agent as the chart defines it, for a run as it did when that began."""
    agent = session.get(Agent, agent_id) if agent_id else None
    if agent is None:
        raise Refused(why=t("board.agent_gone", agent=agent_id or "-"))
    run = session.get(Run, run_id) if run_id is not None else None
    if run is None or run.revision is None or agent.revision <= run.revision:
        return AgentEntry.model_validate(agent.spec)
    began = revisions.chart_at(session, run.revision)
    entry = next((a for a in began.agents if a.id == agent_id), None)
    if entry is None:
        raise Refused(why=t("board.agent_gone", agent=agent_id))
    return entry


def require_tool(session: Session, claim: Claim, tool: str) -> None:
    """``Refused`` where the agent has not been given this tool."""
    _require(chart_entry_of(session, claim.agent_id, claim.run_id), tool)


def require_tools(entry: AgentEntry, plan: Plan) -> None:
    """``Refused`` where a plan needs a tool, if only to verify or undo, that the agent lacks."""
    for call in _calls(plan):
        _require(entry, call.tool)


def require_plan(entry: AgentEntry, plan: Plan) -> None:
    """``Refused`` where a plan is not the agent's to make or to carry out of its own accord."""
    require_tools(entry, plan)
    require_category(entry, plan.category)
    most = entry.limits.actions_per_plan
    if most is not None and len(plan.actions) > most:
        raise Refused(why=t("board.too_many_actions", agent=entry.id, most=most))


def require_category(entry: AgentEntry, category: str) -> None:
    """``Refused`` where people must do work of this category themselves."""
    if entry.autonomy is not None and category not in entry.autonomy:
        raise Refused(why=t("board.not_its_category", agent=entry.id, category=category))


def _require(entry: AgentEntry, tool: str) -> None:
    if not agent_permissions.allows_tool(entry.tools, tool):
        raise Refused(why=t("board.not_its_tool", agent=entry.id, tool=tool))


def _calls(plan: Plan) -> Iterator[ToolCall]:
    for action in plan.actions:
        yield action.call
        if action.undo is not None:
            yield action.undo
        for check in (*action.precheck, *action.verify, *action.undo_verify):
            yield check.call
    for check in plan.verify:
        yield check.call
