"""Permissions of agents by the org chart. Anything that cannot be determined is refused."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.orm import Session

from guardia.board.core.claims import Claim
from guardia.board.core.plan import Plan, ToolCall
from guardia.db.engine import driver_connection
from guardia.errors import Refused
from guardia.i18n import t
from guardia.org import agent_permissions, revisions
from guardia.org.chart_model import AgentEntry, parse_entry

_ENTRY = """
    select agent.spec, agent.revision, run.revision from tb_agent as agent
    left join tb_agent_run as run on run.run_id = %s where agent.agent_id = %s
"""


def chart_entry_of(session: Session, agent_id: str | None, run_id: int | None = None) -> AgentEntry:
    """Return the agent's entry in the chart; for a run, as it was when the run started.

    Raises `Refused` if the agent does not exist.
    """
    session.flush()
    found = driver_connection(session).execute(_ENTRY, (run_id, agent_id)).fetchone()
    if found is None:
        raise Refused(why=t("board.agent_gone", agent=agent_id or "-"))
    spec, revision, run_revision = found
    if run_revision is None or revision <= run_revision:
        return parse_entry(spec)
    chart = revisions.chart_at(session, run_revision)
    entry = next((a for a in chart.agents if a.id == agent_id), None)
    if entry is None:
        raise Refused(why=t("board.agent_gone", agent=agent_id))
    return entry


def require_tool(session: Session, claim: Claim, tool: str) -> None:
    """Raise `Refused` if the chart does not allow the agent this tool."""
    _require(chart_entry_of(session, claim.agent_id, claim.run_id), tool)


def require_tools(entry: AgentEntry, plan: Plan) -> None:
    """Raise `Refused` if the agent lacks a tool of the plan, including its checks and undos."""
    for call in _calls(plan):
        _require(entry, call.tool)


def require_plan(entry: AgentEntry, plan: Plan) -> None:
    """Raise `Refused` if the agent may not file or execute this plan on its own."""
    require_tools(entry, plan)
    require_category(entry, plan.category)
    limit = entry.limits.actions_per_plan
    if limit is not None and len(plan.actions) > limit:
        raise Refused(why=t("board.too_many_actions", agent=entry.id, most=limit))


def require_category(entry: AgentEntry, category: str) -> None:
    """Raise `Refused` if work of this category is reserved for people."""
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
