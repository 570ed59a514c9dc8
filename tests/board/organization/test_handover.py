"""A fired agent's open work passes to its superior, without a lock left behind."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from board_env import LEAD, BoardEnv, assignment, plan, seeded_env
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from guardia.agents.nodes import dispatch
from guardia.board.approvals import decisions
from guardia.board.audit import log
from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Issue, Task
from guardia.board.execution import assignments
from guardia.board.execution import tasks as execution_tasks
from guardia.board.organization import chart as organization_chart
from guardia.board.organization import handover, view
from guardia.board.runs import beats
from guardia.errors import Stale
from guardia.org import chart, chart_edit, revisions
from guardia.org.model import Agent

SHIPPED = chart.shipped_chart_path().read_text("utf-8")
FIRED = chart_edit.fire(SHIPPED, "db-agent")


@pytest.fixture
def env(database: Any) -> Iterator[BoardEnv]:
    with seeded_env(database.app) as found:
        yield found


def test_open_work_passes_to_the_superior_and_late_writes_are_refused(env: BoardEnv) -> None:
    claim, _, bound = env.create_filed_plan()
    held = env.create_parsed_task("MOF-DB-01")
    organization_chart.apply_chart(env.board, FIRED, Actor.operator("test"), 1)
    with pytest.raises(Stale):
        execution_tasks.file_plan(env.board, held, plan())
    with env.board.database.reading() as session:
        tasks = session.scalars(select(Task).order_by(Task.task_id)).all()
        assert {(task.agent_id, task.run_id) for task in tasks} == {("dispatcher", None)}
        assert {issue.agent_id for issue in session.scalars(select(Issue))} == {"dispatcher"}
        assert session.get(Agent, "db-agent").state == "fired"  # type: ignore[union-attr]
        assert log.verify_all(session).intact
    assert beats.begin(env.board, "db-agent") is None
    # A pending approval stays: people decide on the plan, independent of its executor.
    decide = {"approve": True, "plan_hash": bound}
    state = decisions.decide(env.board, LEAD, claim.task_id, **decide)  # type: ignore[arg-type]
    assert state is State.APPROVED


def test_the_dispatcher_passes_inherited_work_on(env: BoardEnv) -> None:
    held = env.create_parsed_task()
    text = chart_edit.hire(FIRED, {
        "id": "db-two", "title": "둘째", "duty": "operate", "reports_to": "dispatcher",
        "skills": ["DB"],
    })  # fmt: skip
    organization_chart.apply_chart(env.board, text, Actor.operator("test"))
    taken = env.claim("dispatcher")
    assert taken.task_id == held.task_id
    gate = SimpleNamespace()
    context = cast(Any, SimpleNamespace(board=env.board, claim=taken, gate=gate))
    assert dispatch.reassign(context)
    assert env.claim("db-two").task_id == held.task_id


def test_work_is_never_assigned_to_a_former_agent(env: BoardEnv) -> None:
    env.create_issue()
    dispatcher = env.claim("dispatcher")
    organization_chart.apply_chart(env.board, FIRED, Actor.operator("test"))
    with pytest.raises(Stale):
        assignments.file_triage(env.board, dispatcher, assignment("MOF-DB-01"))


def test_a_new_dispatcher_takes_over_the_work_of_the_old_one(env: BoardEnv) -> None:
    env.create_issue()
    text = SHIPPED.replace("duty: dispatch\n", "duty: audit\n", 1).replace(
        "    duty: operate\n", "    duty: dispatch\n", 1
    )
    organization_chart.apply_chart(env.board, text, Actor.operator("test"))
    assert env.claim("db-agent").sr_id


def test_successors_stay_and_can_work() -> None:
    position = handover.AgentPosition
    old = {
        "ceo": position("dispatch", None),
        "mid": position("operate", "ceo"),
        "low": position("operate", "mid"),
        "aud": position("audit", "ceo"),
        "sub": position("operate", "aud"),
    }
    after = SimpleNamespace(
        agents=[SimpleNamespace(id=n, duty=d, reports_to=None) for n, d in
                (("ceo", "dispatch"), ("aud", "audit"))]
    )  # fmt: skip
    found = handover.plan_reassignments(old, cast(Any, after))
    assert {h.agent_id: h.successor_id for h in found} == {"mid": "ceo", "low": "ceo", "sub": "ceo"}


@pytest.mark.slow
def test_any_sequence_of_charts_and_rollbacks_leaves_the_table_equal_to_the_chart(
    database: Any,
) -> None:
    with seeded_env(database.app) as env:
        _sequences(env)


def _sequences(env: BoardEnv) -> None:
    @given(st.lists(st.integers(0, 9), min_size=1, max_size=6))
    @settings(
        max_examples=4,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    def play(steps: list[int]) -> None:
        for step in steps:
            number, text = organization_chart.running_text(env.board)
            ids = [a.id for a in chart.parse(text).agents]
            if step < 4:
                organization_chart.rollback(
                    env.board, 1 + step * 7 % number, Actor.operator("test"), number
                )
            else:
                name = f"clerk-{step}"
                entry = {"id": name, "title": name, "duty": "operate", "reports_to": "dispatcher"}
                new = chart_edit.fire(text, name) if name in ids else chart_edit.hire(text, entry)
                organization_chart.apply_chart(env.board, new, Actor.operator("test"), number)
            _equal(env)

    play()
    organization_chart.rollback(env.board, 1, Actor.operator("test"))
    assert organization_chart.running_text(env.board)[1] == SHIPPED
    _equal(env)


def _equal(env: BoardEnv) -> None:
    with env.board.database.reading() as session:
        running = revisions.running_chart(session)
        rows = session.scalars(select(Agent).where(Agent.state != "fired")).all()
        assert {r.agent_id: r.spec for r in rows} == {
            a.id: a.model_dump(mode="json") for a in running.agents
        }
    assert [m.agent_id for m in view.organization(env.board).members] == [
        a.id for a in running.agents
    ]
