"""Agents that only observe: a real diagnosis, a plan that is kept, and no command of it."""

from __future__ import annotations

import pytest
from full_stack import FullStack

from guardia.board.autonomy import view
from guardia.board.autonomy.policy import Comparison
from guardia.board.autonomy.view import AutonomyQuery
from guardia.board.control import directives
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import State
from guardia.board.organization import chart as organization_chart
from guardia.org import chart

pytestmark = pytest.mark.slow


def test_an_observed_fault_is_diagnosed_and_left_to_people(stack: FullStack) -> None:
    text = chart.shipped_chart_path().read_text("utf-8") + "\nautonomy: [{mode: observe}]\n"
    organization_chart.apply_chart(stack.board, text, Actor.operator("test"))
    stack.fleet.fault("lock-chain")
    sr_id = stack.request("기재부 운영DB 쿼리가 너무 느려요")
    stack.work()
    assert stack.state(sr_id) is State.MANUAL
    kinds = [e.kind for e in stack.entries(sr_id)]
    assert "result" in kinds and "observed" in kinds and "planned" not in kinds
    assert stack.changes(sr_id) == [] and not stack.fleet.is_healthy("lock-chain")
    [task] = {e.task_id for e in stack.entries(sr_id) if e.kind == "observed"}
    lead = stack.person("team_lead")
    directives.issue_directive(stack.board, lead, task or 0, DirectiveRequest("abort", "야간에"))
    [row] = view.autonomy_report(stack.board, AutonomyQuery()).rows
    assert row.sr_id == sr_id and row.would and row.comparison is Comparison.NOTHING
