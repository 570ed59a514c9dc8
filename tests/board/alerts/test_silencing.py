"""Alerts that our own change or a maintenance window causes open no issue, unless they go on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from alerts_env import BEGIN, AlertsEnv, alert
from board_env import CUSTOMER, ENGINEER, TERMINATE, BoardEnv
from rules_env import begun

from guardia.board.alerts import maintenance
from guardia.board.alerts.maintenance import WindowRequest
from guardia.board.core.actors import Actor
from guardia.board.core.claims import Claim
from guardia.board.execution import commands, grants, tasks
from guardia.board.execution.commands import CommandResult, PlanStep
from guardia.errors import Forbidden, Invalid, Missing, NotFound
from guardia.org.directory import PersonInfo

HOUR = timedelta(hours=1)


@pytest.fixture
def alerts(env: BoardEnv) -> AlertsEnv:
    return AlertsEnv(env)


def start_change(alerts: AlertsEnv) -> Claim:
    """Begin a change on MOF-DB-01 and carry out its only action."""
    board, claim = alerts.env.board, begun(alerts.env)
    grant = grants.execution_grant(board, claim)
    intent = commands.record_intent(board, grant, TERMINATE, "psql …", PlanStep(0, "do"))
    commands.record_result(board, intent, CommandResult(True, {}, "t", 37))
    return claim


def declare(alerts: AlertsEnv, by: PersonInfo | Actor = ENGINEER, **more: Any) -> int:
    """Declare a window of an hour that begins now."""
    given = {"begins_at": alerts.now, "ends_at": alerts.now + HOUR, "reason": "디스크 교체"}
    return maintenance.declare_window(alerts.env.board, by, WindowRequest(**{**given, **more}))


@pytest.mark.slow
def test_an_alert_during_our_change_is_recorded_on_its_issue(alerts: AlertsEnv) -> None:
    start_change(alerts)
    alerts.wait(seconds=30)
    alerts.send(alert(started=alerts.now), alert("DiskFull", started=alerts.now))
    assert len(alerts.issues()) == 1
    (text,) = [one for one in alerts.comments(1) if "이 변경 작업 중에" in one]
    assert "`HighLoad`" in text and "`DiskFull`" in text
    assert [row["state"] for row in alerts.alerts()] == ["SILENCED", "SILENCED"]
    (entry,) = alerts.entries("alert_silenced")
    assert entry["sr_id"] == 1 and len(entry["detail"]["alerts"]) == 2
    before = alerts.comments(1)
    alerts.wait(seconds=60)
    alerts.send(alert(started=alerts.now), alert("DiskFull", started=alerts.now))
    assert alerts.comments(1) == before


@pytest.mark.slow
def test_what_fires_on_after_the_change_opens_an_issue_without_another_report(
    alerts: AlertsEnv,
) -> None:
    claim = start_change(alerts)
    alerts.send(alert())
    tasks.complete(alerts.env.board, claim, "조치했습니다.")
    alerts.wait(minutes=9)
    alerts.settle()
    assert len(alerts.issues()) == 1
    alerts.wait(minutes=2)
    alerts.settle()
    first, second = alerts.issues()
    assert first["status"] == "COMPLETED" and second["status"] == "RECEIVED"
    assert "SR-1 변경 작업이 끝난 뒤에도" in second["body"]


@pytest.mark.slow
def test_what_the_change_resolved_opens_nothing(alerts: AlertsEnv) -> None:
    claim = start_change(alerts)
    alerts.send(alert())
    alerts.send(alert(status="resolved"))
    tasks.complete(alerts.env.board, claim, "조치했습니다.")
    alerts.wait(minutes=30)
    alerts.settle()
    assert len(alerts.issues()) == 1
    assert any("해소되었습니다" in one for one in alerts.comments(1))


@pytest.mark.parametrize(
    "other",
    [
        {"instance": "MOF-WAS-01"},  # another server
        {"instance": "10.99.0.1"},  # an unknown one
        {"started": BEGIN - timedelta(minutes=30)},  # of before the change
    ],
)
@pytest.mark.slow
def test_a_change_silences_only_what_it_may_have_caused(
    alerts: AlertsEnv, other: dict[str, Any]
) -> None:
    start_change(alerts)
    alerts.send(alert(**other))
    assert len(alerts.issues()) == 2


@pytest.mark.slow
def test_a_plan_that_has_sent_no_command_silences_nothing(alerts: AlertsEnv) -> None:
    begun(alerts.env)
    alerts.send(alert())
    assert len(alerts.issues()) == 2


@pytest.mark.parametrize("scope", [{"server": "MOF-DB-01"}, {"institution": "MOF"}, {}])
@pytest.mark.slow
def test_a_maintenance_window_silences_until_its_end(
    alerts: AlertsEnv, scope: dict[str, str]
) -> None:
    number = declare(alerts, **scope)
    alerts.send(alert(started=BEGIN - HOUR))
    (row,) = alerts.alerts()
    assert (row["state"], row["silenced_by"]) == ("SILENCED", number)
    (entry,) = alerts.entries("alert_silenced")
    assert f"유지보수 시간 {number}번" in entry["log_content"]
    alerts.wait(minutes=61)
    alerts.settle()
    (issue,) = alerts.issues()
    assert f"유지보수 시간 {number}번이 끝난 뒤에도" in issue["body"]


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"server": "MOF-WAS-01"},
        {"begins_at": BEGIN + HOUR, "ends_at": BEGIN + 2 * HOUR},
    ],
)
def test_a_window_elsewhere_or_later_silences_nothing(
    alerts: AlertsEnv, elsewhere: dict[str, Any]
) -> None:
    declare(alerts, **elsewhere)
    alerts.send(alert())
    assert len(alerts.issues()) == 1


def test_a_window_that_a_person_ends_silences_no_longer(alerts: AlertsEnv) -> None:
    number = declare(alerts, server="MOF-DB-01")
    alerts.send(alert())
    maintenance.end_window(alerts.env.board, ENGINEER, number)
    alerts.settle()
    assert len(alerts.issues()) == 1
    ended = alerts.entries("maintenance_ended")
    assert [one["actor"] for one in ended] == ["person:eng"]
    with pytest.raises(NotFound):
        maintenance.end_window(alerts.env.board, ENGINEER, number)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"reason": " "}, Missing),
        ({"server": "NO-SUCH"}, Invalid),
        ({"institution": "NO"}, Invalid),
        ({"server": "MOF-DB-01", "institution": "MOF"}, Invalid),
        ({"ends_at": BEGIN}, Invalid),
        ({"begins_at": BEGIN - 2 * HOUR, "ends_at": BEGIN - HOUR}, Invalid),
        ({"ends_at": BEGIN + timedelta(days=32)}, Invalid),
    ],
)
def test_a_window_needs_a_place_a_time_and_a_reason(
    alerts: AlertsEnv, wrong: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        declare(alerts, **wrong)
    assert alerts.rows("select 1 from tb_maintenance") == []


def test_only_those_who_operate_declare_windows(alerts: AlertsEnv) -> None:
    number = declare(alerts, Actor.operator("cli"))
    with pytest.raises(Forbidden):
        declare(alerts, CUSTOMER)
    with pytest.raises(Forbidden):
        maintenance.end_window(alerts.env.board, CUSTOMER, number)
