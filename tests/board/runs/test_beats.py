"""Beats: wakes with their causes, quiet hours, paused agents."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from board_env import LEAD, BoardEnv

from guardia.board.approvals import decisions
from guardia.board.control import directives
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core import lookup, wakes
from guardia.board.core.actors import Actor
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.execution import tasks
from guardia.board.organization import agent_control
from guardia.board.organization import chart as organization_chart
from guardia.board.runs import beats, ticks
from guardia.org import chart

MOMENT = datetime(2026, 11, 23, tzinfo=UTC)


def rows(env: BoardEnv, query: str) -> list[Any]:
    with psycopg.connect(env.dsn) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def wake(env: BoardEnv, agent: str, reason: WakeReason = WakeReason.MANUAL, **more: Any) -> bool:
    with env.board.database.transaction() as session:
        return wakes.wake(session, agent, reason, env.board.clock(), **more)


def test_a_run_stores_its_causes_and_its_chart_revision(env: BoardEnv) -> None:
    claim, _, bound = env.create_filed_plan()
    beats.begin(env.board, "db-agent")
    decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=bound)
    directives.issue_directive(
        env.board, LEAD, claim.task_id, DirectiveRequest("priority", argument="P1")
    )
    begun = beats.begin(env.board, "db-agent")
    assert begun is not None and begun.has_work
    text = chart.shipped_chart_path().read_text("utf-8").replace("DB 전문가", "디비 전문가")
    organization_chart.apply_chart(env.board, text, Actor.operator("test"))
    assert begun.entry.title == "DB 전문가"
    beats.end(env.board, begun, "done", task_id=None, steps=0)
    wake(env, "db-agent", cause={"why": "보고 싶어서"})
    after = beats.begin(env.board, "db-agent")
    assert after is not None and after.entry.title == "디비 전문가"
    found = rows(env, "select causes, revision from tb_agent_run order by run_id desc limit 2")
    assert [r[1] for r in found] == [2, 1]
    causes = [c for c in found[1][0] if c["reason"] != "recovery" and "task" not in c]
    assert causes == [
        {"reason": "approval_decided", "issue": 1, "decision": 1, "verdict": "approve"},
        {"reason": "directive", "issue": 1, "directive": 1, "verb": "priority"},
    ]


def test_a_beat_without_work_ends_in_its_first_transaction(env: BoardEnv) -> None:
    wake(env, "was-agent")
    begun = beats.begin(env.board, "was-agent")
    assert begun is not None and not begun.has_work
    query = "select outcome, ended_at is not null from tb_agent_run"
    assert rows(env, query) == [("idle", True)]


def test_a_paused_agent_keeps_its_reasons(env: BoardEnv, database: Any) -> None:
    wake(env, "was-agent")
    with psycopg.connect(database.owner) as connection:
        connection.execute("update tb_agent set state = 'paused' where agent_id = 'was-agent'")
    assert beats.begin(env.board, "was-agent") is None
    assert len(rows(env, "select from tb_wake")) == 1


def test_an_agent_paused_in_a_beat_ends_its_task_and_starts_no_other(
    env: BoardEnv,
) -> None:
    env.create_issue()
    claim = env.create_parsed_task()
    begun = beats.begin(env.board, "dispatcher")
    assert begun is not None
    agent_control.pause(env.board, "dispatcher", Actor.operator("test"))
    assert beats.claim_task(env.board, begun) is None
    agent_control.pause(env.board, "db-agent", Actor.operator("test"))
    tasks.add_comment(env.board, claim, "끝까지 합니다")
    agent_control.resume(env.board, "dispatcher", Actor.operator("test"))
    assert beats.claim_task(env.board, begun) is not None


def test_a_lost_beats_reasons_are_taken_again(env: BoardEnv) -> None:
    wake(env, "auditor", cause={"why": "x"})
    assert beats.begin(env.board, "auditor") is not None
    again = beats.begin(env.board, "auditor")
    assert again is not None and again.reasons == ("recovery", "manual")
    assert rows(env, "select causes from tb_agent_run order by run_id desc limit 1") == [
        ([{"reason": "recovery", "run": 1}, {"reason": "manual", "why": "x"}],)
    ]


# --- quiet hours --------------------------------------------------------------------------------


def sleeping(env: BoardEnv) -> BoardEnv:
    """At 23:00 in Seoul, with quiet hours of the specialist until 07:00."""
    text = (
        chart.shipped_chart_path()
        .read_text("utf-8")
        .replace(
            "    role: roles/database.md\n    brain: {kind: embedded}\n    heartbeat: {every: 10m}",
            "    role: roles/database.md\n    brain: {kind: embedded}\n"
            '    heartbeat: {every: 10m, quiet: {from: "22:00", until: "07:00"}}',
        )
    )
    assert "quiet" in text
    organization_chart.apply_chart(env.board, text, Actor.operator("test"))
    night = datetime(2026, 11, 23, 14, tzinfo=UTC)
    return replace(env, board=replace(env.board, clock=lambda: night))


def queued(env: BoardEnv, agent: str = "db-agent") -> int:
    return len(rows(env, f"select from procrastinate_jobs where lock = 'agent:{agent}'"))


@pytest.mark.parametrize(
    ("reason", "by", "priority", "waits"),
    [
        (WakeReason.ASSIGNMENT, "agent:dispatcher", "P2", True),
        (WakeReason.ASSIGNMENT, "agent:dispatcher", "P1", False),
        (WakeReason.ASSIGNMENT, "agent:dispatcher", None, False),
        (WakeReason.MENTION, "agent:was-agent", "P3", True),
        (WakeReason.MENTION, "person:lead", "P3", False),
        (WakeReason.GOAL, "", None, False),
        (WakeReason.SCHEDULE, "", "", True),
        (WakeReason.ORDER, "person:lead", "P3", False),
        (WakeReason.APPROVAL_DECIDED, "person:lead", "P3", False),
        (WakeReason.RECOVERY, "", "P3", False),
    ],
)
def test_quiet_hours_delay_wakes_that_can_wait(
    env: BoardEnv, reason: WakeReason, by: str, priority: str | None, waits: bool
) -> None:
    night = sleeping(env)
    sr_id = None
    if priority != "":
        sr_id = night.create_issue()
        with env.board.database.transaction() as session:
            lookup.get_issue(session, sr_id).priority = priority
    assert wake(night, "db-agent", reason, sr_id=sr_id, by=Actor.parse(by))
    assert queued(env) == (0 if waits else 1)
    assert len(rows(env, "select from tb_wake where agent_id = 'db-agent'")) == 1


def test_delayed_wakes_start_one_beat_at_the_end_of_quiet_hours(env: BoardEnv) -> None:
    night = sleeping(env)
    for _ in range(3):
        wake(night, "db-agent", WakeReason.SCHEDULE)
    morning = datetime(2026, 11, 23, 22, tzinfo=UTC)
    day = replace(night, board=replace(night.board, clock=lambda: morning))
    assert ticks.tick(day.board, "db-agent", morning)
    assert queued(env) == 1
    assert beats.begin(day.board, "db-agent") is not None
    assert rows(env, "select from tb_wake") == []
