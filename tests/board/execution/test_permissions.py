"""What the chart does not let an agent do, it cannot do: tools, categories, limits."""

from __future__ import annotations

import pytest
from board_env import LEAD, BoardEnv, assignment, plan, replace_plan
from sqlalchemy import select

from guardia.board.approvals import decisions
from guardia.board.audit.model import AuditEntry
from guardia.board.core.actors import Actor
from guardia.board.core.plan import Category, ToolCall
from guardia.board.execution import commands, grants, tasks
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
def test_patterns_name_tools_exactly_by_family_or_all(
    patterns: tuple[str, ...] | None, allowed: bool
) -> None:
    assert agent_permissions.allows_tool(patterns, "database.locks") is allowed


def test_a_tool_that_was_not_given_never_reaches_a_server(env: BoardEnv) -> None:
    give(env, tools=["service.*"])
    held = env.create_parsed_task()
    with pytest.raises(Refused, match=r"database\.locks"):
        commands.record_intent(env.board, grants.grant_reads(env.board, held), READ, "psql …")
    with pytest.raises(Refused, match="tools"):
        tasks.file_plan(env.board, held, plan())
    with env.board.database.reading() as session:
        assert session.scalar(select(AuditEntry.seq).where(AuditEntry.kind == "intent")) is None


def test_a_plan_needs_the_tools_that_verify_it_too(env: BoardEnv) -> None:
    give(env, tools=["database.terminate_session"])
    with pytest.raises(Refused, match=r"database\.locks"):
        tasks.file_plan(env.board, env.create_parsed_task(), plan())


def test_a_person_cannot_plan_what_the_agent_has_no_tool_for(env: BoardEnv) -> None:
    held, _, _ = env.create_filed_plan()
    give(env, tools=["service.*"])
    other = plan().model_copy(update={"because": "다른 까닭"})
    with pytest.raises(Refused, match="tools"):
        replace_plan(env.board, held.task_id, other, LEAD)


def test_a_beat_goes_on_under_the_revision_that_it_began_with(env: BoardEnv) -> None:
    held = env.create_parsed_task()
    give(env, tools=["service.*"], autonomy=["READ_ONLY"])
    commands.record_intent(env.board, grants.grant_reads(env.board, held), READ, "psql …")
    tasks.file_plan(env.board, held, plan())


def test_what_is_not_its_own_goes_to_people(env: BoardEnv) -> None:
    give(env, autonomy=["READ_ONLY"])
    held = env.create_parsed_task()
    with pytest.raises(Refused, match="MAINTENANCE"):
        tasks.file_plan(env.board, held, plan())
    assert tasks.file_plan(env.board, held, plan(Category.READ_ONLY)), "waived, and its own"


def test_an_approved_plan_is_not_begun_once_it_is_no_longer_its_own(env: BoardEnv) -> None:
    held, _, bound = env.create_filed_plan()
    decisions.decide(env.board, LEAD, held.task_id, approve=True, plan_hash=bound)
    give(env, autonomy=[])
    with pytest.raises(Refused, match="MAINTENANCE"):
        tasks.begin_execution(env.board, env.claim("db-agent"))


def test_limits_bound_a_plan_and_what_is_begun_at_once(env: BoardEnv) -> None:
    give(env, limits__actions_per_plan=0, limits__parallel_tasks=1)
    first = env.create_parsed_task()
    with pytest.raises(Refused, match="0건"):
        tasks.file_plan(env.board, first, plan())
    give(env, limits__actions_per_plan=1)
    env.create_issue()
    tasks.file_triage(env.board, env.claim("dispatcher"), assignment("MOF-DB-01"))
    begun = beats.begin(env.board, "db-agent")
    assert begun is not None
    held = beats.claim_task(env.board, begun)
    assert held is not None and held.task_id == first.task_id
    tasks.file_plan(env.board, held, plan())
    assert beats.claim_task(env.board, begun, frozenset({held.task_id})) is None
    give(env, limits__parallel_tasks=2)
    assert beats.claim_task(env.board, begun, frozenset({held.task_id})) is not None


def test_a_category_that_there_is_not_is_a_fault() -> None:
    with pytest.raises(Misconfigured, match="NONE"):
        chart.parse(chart_edit.set_field(SHIPPED, "db-agent", "autonomy", ["NONE"]))
