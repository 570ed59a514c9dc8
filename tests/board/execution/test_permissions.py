"""What the chart does not let an agent do, it cannot do: tools, categories, limits."""

from __future__ import annotations

import pytest
from board_env import LEAD, BoardEnv, assignment, plan, replace_plan
from sqlalchemy import select

from guardia.board.approvals import decisions
from guardia.board.audit.model import AuditEntry
from guardia.board.core.plan import Category, ToolCall
from guardia.board.execution import commands, tasks
from guardia.board.organization import chart as organization_chart
from guardia.board.runs import beats
from guardia.errors import Misconfigured, Refused
from guardia.org import agent_permissions, chart, chart_edit

SHIPPED = chart.shipped_chart_path().read_text("utf-8")
READ = ToolCall(tool="database.locks", args={"service": "budgetdb"})


def give(board: BoardEnv, **fields: object) -> None:
    """Change the DB agent's entry."""
    _, text = organization_chart.running_text(board.desk)
    for name, value in fields.items():
        text = chart_edit.set_field(text, "db-agent", name.replace("__", "."), value)
    organization_chart.apply_chart(board.desk, text, "operator:test")


@pytest.mark.parametrize(
    ("patterns", "allowed"),
    [(None, True), ((), False), (("*",), True), (("database.*",), True), (("data.*",), False),
     (("database.locks",), True), (("database.session",), False)],
)  # fmt: skip
def test_patterns_name_tools_exactly_by_family_or_all(
    patterns: tuple[str, ...] | None, allowed: bool
) -> None:
    assert agent_permissions.allows_tool(patterns, "database.locks") is allowed


def test_a_tool_that_was_not_given_never_reaches_a_server(cast: BoardEnv) -> None:
    give(cast, tools=["service.*"])
    held = cast.parsed()
    with pytest.raises(Refused, match=r"database\.locks"):
        commands.record_intent(cast.desk, tasks.grant_reads(cast.desk, held), READ, "psql …")
    with pytest.raises(Refused, match="tools"):
        tasks.file_plan(cast.desk, held, plan())
    with cast.desk.database.reading() as session:
        assert session.scalar(select(AuditEntry.seq).where(AuditEntry.kind == "intent")) is None


def test_a_plan_needs_the_tools_that_verify_it_too(cast: BoardEnv) -> None:
    give(cast, tools=["database.terminate_session"])
    with pytest.raises(Refused, match=r"database\.locks"):
        tasks.file_plan(cast.desk, cast.parsed(), plan())


def test_a_person_cannot_plan_what_the_agent_has_no_tool_for(cast: BoardEnv) -> None:
    held, _, _ = cast.planned()
    give(cast, tools=["service.*"])
    other = plan().model_copy(update={"because": "다른 까닭"})
    with pytest.raises(Refused, match="tools"):
        replace_plan(cast.desk, held.task_id, other, LEAD)


def test_a_beat_goes_on_under_the_revision_that_it_began_with(cast: BoardEnv) -> None:
    held = cast.parsed()
    give(cast, tools=["service.*"], autonomy=["READ_ONLY"])
    commands.record_intent(cast.desk, tasks.grant_reads(cast.desk, held), READ, "psql …")
    tasks.file_plan(cast.desk, held, plan())


def test_what_is_not_its_own_goes_to_people(cast: BoardEnv) -> None:
    give(cast, autonomy=["READ_ONLY"])
    held = cast.parsed()
    with pytest.raises(Refused, match="MAINTENANCE"):
        tasks.file_plan(cast.desk, held, plan())
    assert tasks.file_plan(cast.desk, held, plan(Category.READ_ONLY)), "waived, and its own"


def test_an_approved_plan_is_not_begun_once_it_is_no_longer_its_own(cast: BoardEnv) -> None:
    held, _, bound = cast.planned()
    decisions.decide(cast.desk, LEAD, held.task_id, approve=True, plan_hash=bound)
    give(cast, autonomy=[])
    with pytest.raises(Refused, match="MAINTENANCE"):
        tasks.begin_execution(cast.desk, cast.hold("db-agent"))


def test_limits_bound_a_plan_and_what_is_begun_at_once(cast: BoardEnv) -> None:
    give(cast, limits__actions_per_plan=0, limits__parallel_tasks=1)
    first = cast.parsed()
    with pytest.raises(Refused, match="0건"):
        tasks.file_plan(cast.desk, first, plan())
    give(cast, limits__actions_per_plan=1)
    cast.received()
    tasks.file_triage(cast.desk, cast.hold("dispatcher"), assignment("MOF-DB-01"))
    begun = beats.begin(cast.desk, "db-agent")
    assert begun is not None
    held = beats.claim_task(cast.desk, begun)
    assert held is not None and held.task_id == first.task_id
    tasks.file_plan(cast.desk, held, plan())
    assert beats.claim_task(cast.desk, begun, frozenset({held.task_id})) is None
    give(cast, limits__parallel_tasks=2)
    assert beats.claim_task(cast.desk, begun, frozenset({held.task_id})) is not None


def test_a_category_that_there_is_not_is_a_fault() -> None:
    with pytest.raises(Misconfigured, match="NONE"):
        chart.parse(chart_edit.set_field(SHIPPED, "db-agent", "autonomy", ["NONE"]))
