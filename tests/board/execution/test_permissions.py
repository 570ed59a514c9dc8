"""Limits of agents by the org chart: tools, categories, numbers of actions."""

from __future__ import annotations

import pytest
from board_env import LEAD, BoardEnv, assignment, plan, replace_plan
from sqlalchemy import select

from guardia.board.approvals import decisions
from guardia.board.audit.model import AuditEntry
from guardia.board.core.actors import Actor
from guardia.board.core.plan import Category, ToolCall
from guardia.board.execution import assignments, commands, grants, tasks
from guardia.board.organization import chart as organization_chart
from guardia.board.runs import beats
from guardia.errors import Misconfigured, Refused
from guardia.org import agent_permissions, chart, chart_edit

SHIPPED = chart.shipped_chart_path().read_text("utf-8")
READ = ToolCall(tool="database.locks", args={"service": "budgetdb"})


def give(env: BoardEnv, **fields: object) -> None:
    """Change the DB agent's entry."""
    _, text = organization_chart.running_text(env.board)
    for name, value in fields.items():
        text = chart_edit.set_field(text, "db-agent", name.replace("__", "."), value)
    organization_chart.apply_chart(env.board, text, Actor.operator("test"))


@pytest.mark.parametrize(
    ("patterns", "allowed"),
    [(None, True), ((), False), (("*",), True), (("database.*",), True), (("data.*",), False),
     (("database.locks",), True), (("database.session",), False)],
)  # fmt: skip
def test_patterns_match_one_tool_a_family_or_all(
    patterns: tuple[str, ...] | None, allowed: bool
) -> None:
    assert agent_permissions.allows_tool(patterns, "database.locks") is allowed


@pytest.mark.slow
def test_a_tool_without_permission_never_reaches_a_server(env: BoardEnv) -> None:
    give(env, tools=["service.*"])
    claim = env.create_parsed_task()
    with pytest.raises(Refused, match=r"database\.locks"):
        commands.record_intent(env.board, grants.grant_reads(env.board, claim), READ, "psql …")
    with pytest.raises(Refused, match="tools"):
        tasks.file_plan(env.board, claim, plan())
    with env.board.database.reading() as session:
        assert session.scalar(select(AuditEntry.seq).where(AuditEntry.kind == "intent")) is None


def test_a_plan_also_needs_permission_for_its_checks(env: BoardEnv) -> None:
    give(env, tools=["database.terminate_session"])
    with pytest.raises(Refused, match=r"database\.locks"):
        tasks.file_plan(env.board, env.create_parsed_task(), plan())


def test_a_person_cannot_plan_a_tool_that_the_agent_lacks(env: BoardEnv) -> None:
    claim, _, _ = env.create_filed_plan()
    give(env, tools=["service.*"])
    other = plan().model_copy(update={"because": "다른 까닭"})
    with pytest.raises(Refused, match="tools"):
        replace_plan(env.board, claim.task_id, other, LEAD)


@pytest.mark.slow
def test_a_beat_continues_under_the_revision_it_started_with(env: BoardEnv) -> None:
    claim = env.create_parsed_task()
    give(env, tools=["service.*"], autonomy=["READ_ONLY"])
    commands.record_intent(env.board, grants.grant_reads(env.board, claim), READ, "psql …")
    tasks.file_plan(env.board, claim, plan())


@pytest.mark.slow
def test_work_outside_the_agents_permissions_goes_to_people(env: BoardEnv) -> None:
    give(env, autonomy=["READ_ONLY"])
    claim = env.create_parsed_task()
    with pytest.raises(Refused, match="MAINTENANCE"):
        tasks.file_plan(env.board, claim, plan())
    assert tasks.file_plan(env.board, claim, plan(Category.READ_ONLY)), "waived, and its own"


@pytest.mark.slow
def test_an_approved_plan_is_not_started_after_permission_is_withdrawn(env: BoardEnv) -> None:
    claim, _, bound = env.create_filed_plan()
    decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=bound)
    give(env, autonomy=[])
    with pytest.raises(Refused, match="MAINTENANCE"):
        tasks.begin_execution(env.board, env.claim("db-agent"))


@pytest.mark.slow
def test_limits_apply_to_a_plan_and_to_concurrent_tasks(env: BoardEnv) -> None:
    give(env, limits__actions_per_plan=0, limits__parallel_tasks=1)
    first = env.create_parsed_task()
    with pytest.raises(Refused, match="0건"):
        tasks.file_plan(env.board, first, plan())
    give(env, limits__actions_per_plan=1)
    env.create_issue()
    assignments.file_triage(env.board, env.claim("dispatcher"), assignment("MOF-DB-01"))
    run_context = beats.begin(env.board, "db-agent")
    assert run_context is not None
    claim = beats.claim_task(env.board, run_context)
    assert claim is not None and claim.task_id == first.task_id
    tasks.file_plan(env.board, claim, plan())
    assert beats.claim_task(env.board, run_context, frozenset({claim.task_id})) is None
    give(env, limits__parallel_tasks=2)
    assert beats.claim_task(env.board, run_context, frozenset({claim.task_id})) is not None


def test_an_unknown_category_is_a_chart_error() -> None:
    with pytest.raises(Misconfigured, match="NONE"):
        chart.parse(chart_edit.set_field(SHIPPED, "db-agent", "autonomy", ["NONE"]))
