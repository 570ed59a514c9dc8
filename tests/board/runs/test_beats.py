"""Waking on the board: reasons with their causes, ticks that cost nothing, quiet hours, budgets."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from board_env import LEAD, BoardEnv

from guardia.board.approvals import decisions
from guardia.board.control import directives
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core import lookup, wakes
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.execution import tasks
from guardia.board.organization import agent_control
from guardia.board.organization import chart as organization_chart
from guardia.board.runs import beats
from guardia.org import chart

MOMENT = datetime(2026, 11, 23, tzinfo=UTC)


def rows(cast: BoardEnv, query: str) -> list[Any]:
    with psycopg.connect(cast.dsn) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def wake(cast: BoardEnv, agent: str, reason: WakeReason = WakeReason.MANUAL, **more: Any) -> bool:
    with cast.desk.database.transaction() as session:
        return wakes.wake(session, agent, reason, cast.desk.clock(), **more)


def test_an_idle_agent_is_not_woken_and_a_moment_counts_once(cast: BoardEnv) -> None:
    assert not beats.tick(cast.desk, "db-agent", MOMENT)
    assert rows(cast, "select agent_id, tick from tb_tick") == [("db-agent", MOMENT)]
    assert rows(cast, "select from tb_wake") == []
    assert rows(cast, "select from procrastinate_jobs where task_name = 'beat'") == []
    cast.received()
    beats.begin(cast.desk, "dispatcher")
    later = MOMENT + timedelta(minutes=10)
    ticked: list[bool] = []
    hosts = [
        threading.Thread(target=lambda: ticked.append(beats.tick(cast.desk, "dispatcher", later)))
        for _ in range(4)
    ]
    for host in hosts:
        host.start()
    for host in hosts:
        host.join()
    assert sorted(ticked) == [False, False, False, True]
    query = "select reason, cause from tb_wake"
    assert rows(cast, query) == [("schedule", {"tick": later.isoformat()})]


def test_old_ticks_are_forgotten_but_not_where_catching_up_begins(cast: BoardEnv) -> None:
    for agent, days in (("db-agent", (30, 20, 1)), ("was-agent", (30, 20))):
        for day in days:
            beats.tick(cast.desk, agent, MOMENT - timedelta(days=day))
    assert beats.delete_old_ticks(cast.desk, MOMENT - timedelta(days=7)) == 3
    assert beats.last_ticks(cast.desk) == {
        "db-agent": MOMENT - timedelta(days=1),
        "was-agent": MOMENT - timedelta(days=20),
    }


def test_a_run_keeps_what_exactly_woke_it_and_the_chart_it_began_under(cast: BoardEnv) -> None:
    hold, _, bound = cast.planned()
    beats.begin(cast.desk, "db-agent")
    decisions.decide(cast.desk, LEAD, hold.task_id, approve=True, plan_hash=bound)
    directives.issue_directive(
        cast.desk, LEAD, hold.task_id, DirectiveRequest("priority", argument="P1")
    )
    begun = beats.begin(cast.desk, "db-agent")
    assert begun is not None and begun.works
    text = chart.shipped_chart_path().read_text("utf-8").replace("DB 전문가", "디비 전문가")
    organization_chart.apply_chart(cast.desk, text, "operator:test")
    assert begun.entry.title == "DB 전문가"
    beats.end(cast.desk, begun, "done", task_id=None, steps=0)
    wake(cast, "db-agent", cause={"why": "보고 싶어서"})
    after = beats.begin(cast.desk, "db-agent")
    assert after is not None and after.entry.title == "디비 전문가"
    found = rows(cast, "select causes, revision from tb_agent_run order by run_id desc limit 2")
    assert [r[1] for r in found] == [2, 1]
    causes = [c for c in found[1][0] if c["reason"] != "recovery" and "task" not in c]
    assert causes == [
        {"reason": "approval_decided", "issue": 1, "decision": 1, "verdict": "approve"},
        {"reason": "directive", "issue": 1, "directive": 1, "verb": "priority"},
    ]


def test_nothing_to_do_ends_the_beat_in_the_transaction_that_began_it(cast: BoardEnv) -> None:
    wake(cast, "was-agent")
    begun = beats.begin(cast.desk, "was-agent")
    assert begun is not None and not begun.works
    query = "select outcome, ended_at is not null from tb_agent_run"
    assert rows(cast, query) == [("idle", True)]


def test_a_paused_agent_keeps_its_reasons(cast: BoardEnv, database: Any) -> None:
    wake(cast, "was-agent")
    with psycopg.connect(database.owner) as connection:
        connection.execute("update tb_agent set state = 'paused' where agent_id = 'was-agent'")
    assert beats.begin(cast.desk, "was-agent") is None
    assert len(rows(cast, "select from tb_wake")) == 1


def test_an_agent_that_is_paused_in_a_beat_ends_its_task_and_begins_no_other(
    cast: BoardEnv,
) -> None:
    cast.received()
    hold = cast.parsed()
    begun = beats.begin(cast.desk, "dispatcher")
    assert begun is not None
    agent_control.pause(cast.desk, "dispatcher", "operator:test")
    assert beats.claim_task(cast.desk, begun) is None
    agent_control.pause(cast.desk, "db-agent", "operator:test")
    tasks.add_comment(cast.desk, hold, "끝까지 합니다")
    agent_control.resume(cast.desk, "dispatcher", "operator:test")
    assert beats.claim_task(cast.desk, begun) is not None


def test_a_lost_beats_reasons_are_taken_again(cast: BoardEnv) -> None:
    wake(cast, "auditor", cause={"why": "x"})
    assert beats.begin(cast.desk, "auditor") is not None
    again = beats.begin(cast.desk, "auditor")
    assert again is not None and again.reasons == ("recovery", "manual")
    assert rows(cast, "select causes from tb_agent_run order by run_id desc limit 1") == [
        ([{"reason": "recovery", "run": 1}, {"reason": "manual", "why": "x"}],)
    ]


# --- quiet hours --------------------------------------------------------------------------------


def sleeping(cast: BoardEnv) -> BoardEnv:
    """It is 23:00 in Seoul, and the specialist's night lasts until 07:00."""
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
    organization_chart.apply_chart(cast.desk, text, "operator:test")
    night = datetime(2026, 11, 23, 14, tzinfo=UTC)
    return replace(cast, desk=replace(cast.desk, clock=lambda: night))


def queued(cast: BoardEnv, agent: str = "db-agent") -> int:
    return len(rows(cast, f"select from procrastinate_jobs where lock = 'agent:{agent}'"))


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
def test_quiet_hours_hold_back_what_can_wait(
    cast: BoardEnv, reason: WakeReason, by: str, priority: str | None, waits: bool
) -> None:
    night = sleeping(cast)
    sr_id = None
    if priority != "":
        sr_id = night.received()
        with cast.desk.database.transaction() as session:
            lookup.get_issue(session, sr_id).priority = priority
    assert wake(night, "db-agent", reason, sr_id=sr_id, by=by)
    assert queued(cast) == (0 if waits else 1)
    assert len(rows(cast, "select from tb_wake where agent_id = 'db-agent'")) == 1


def test_what_was_held_back_wakes_once_at_the_end_of_the_night(cast: BoardEnv) -> None:
    night = sleeping(cast)
    for _ in range(3):
        wake(night, "db-agent", WakeReason.SCHEDULE)
    morning = datetime(2026, 11, 23, 22, tzinfo=UTC)
    day = replace(night, desk=replace(night.desk, clock=lambda: morning))
    assert beats.tick(day.desk, "db-agent", morning)
    assert queued(cast) == 1
    assert beats.begin(day.desk, "db-agent") is not None
    assert rows(cast, "select from tb_wake") == []
