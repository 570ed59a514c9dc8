"""From a report of an alert to its issue, and back when it is resolved."""

from __future__ import annotations

from datetime import timedelta

import pytest
from alerts_env import BEGIN, AlertsEnv, alert, alert_settings, group
from board_env import ENGINEER, BoardEnv, assignment, plan
from page_env import recorded_statements

from guardia.board.alerts import changed
from guardia.board.control import directives
from guardia.board.core.actors import Actor
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.execution import assignments, tasks
from guardia.board.issues import comments


@pytest.fixture
def alerts(env: BoardEnv) -> AlertsEnv:
    return AlertsEnv(env)


@pytest.mark.slow
def test_an_alert_opens_one_issue_for_its_server(alerts: AlertsEnv) -> None:
    alerts.send(alert())
    (issue,) = alerts.issues()
    assert issue["title"] == "[경보] HighLoad — MOF-DB-01"
    assert (issue["kind"], issue["priority"], issue["inst_id"]) == ("INCIDENT", "P1", "MOF")
    assert issue["triage"]["given"]["servers"] == ["MOF-DB-01"]
    assert issue["channel"] == "alertmanager"
    assert "HighLoad on MOF-DB-01:9100" in issue["body"]
    (entry,) = alerts.entries("received")
    assert entry["detail"]["alerts"][0]["rule"] == "HighLoad"


@pytest.mark.slow
def test_repeats_are_counted_without_comment_or_entry(alerts: AlertsEnv) -> None:
    alerts.send(alert())
    seen = len(alerts.rows("select seq from tb_audit_log"))
    for _ in range(5):
        alerts.wait(hours=4)
        alerts.send(alert())
    assert len(alerts.issues()) == 1
    (row,) = alerts.alerts()
    assert (row["count"], row["last_seen"]) == (6, alerts.now)
    assert alerts.comments(1) == []
    assert len(alerts.rows("select seq from tb_audit_log")) == seen


def test_the_same_delivery_sent_again_counts_once(alerts: AlertsEnv) -> None:
    for _ in range(3):
        assert alerts.post("alertmanager", group(alert())).json() == {"alerts": 1}
    alerts.settle()
    assert [row["count"] for row in alerts.alerts()] == [1]
    assert len(alerts.issues()) == 1


@pytest.mark.slow
def test_a_worse_severity_and_a_further_alert_of_the_rule_join_the_issue(
    alerts: AlertsEnv,
) -> None:
    alerts.send(alert(severity="warning", fingerprint="a", mountpoint="/"))
    assert alerts.issues()[0]["priority"] == "P3"
    alerts.send(alert(severity="critical", fingerprint="a", mountpoint="/"))
    alerts.send(alert(severity="warning", fingerprint="b", mountpoint="/var"))
    (issue,) = alerts.issues()
    assert issue["priority"] == "P1"
    first, second = alerts.comments(1)
    assert "`critical`" in first and "`warning`" in second
    assert [row["sr_id"] for row in alerts.alerts()] == [1, 1]
    assert len(alerts.entries("alert_joined")) == 2


def test_another_rule_or_server_opens_another_issue(alerts: AlertsEnv) -> None:
    alerts.send(alert(), alert("DiskFull"), alert(instance="MOF-WAS-01"))
    assert [issue["title"] for issue in alerts.issues()] == [
        "[경보] HighLoad — MOF-DB-01",
        "[경보] DiskFull — MOF-DB-01",
        "[경보] HighLoad — MOF-WAS-01",
    ]


def test_an_unknown_server_is_left_to_triage(alerts: AlertsEnv) -> None:
    alerts.send(alert(instance="10.99.0.1:9100"))
    (issue,) = alerts.issues()
    assert "servers" not in issue["triage"]["given"] and issue["inst_id"] is None
    assert "10.99.0.1:9100 (등록되지 않은 서버)" in issue["body"]


def test_a_severity_that_opens_no_issue_is_recorded(alerts: AlertsEnv) -> None:
    alerts.send(alert("Watchdog", severity="none"))
    assert alerts.issues() == []
    assert [row["state"] for row in alerts.alerts()] == ["FIRING"]


def test_a_resolved_alert_closes_an_issue_that_has_not_begun(alerts: AlertsEnv) -> None:
    alerts.send(alert())
    alerts.send(alert(status="resolved"))
    (issue,) = alerts.issues()
    assert issue["status"] == "ABORTED"
    assert "조치 없이 이슈를 종료합니다" in alerts.comments(1)[-1]
    (entry,) = alerts.entries("alert_closed")
    assert entry["actor"] == "channel:alertmanager"
    assert alerts.alerts()[0]["state"] == "RESOLVED"


@pytest.mark.slow
def test_an_issue_stays_open_until_all_its_alerts_are_resolved(alerts: AlertsEnv) -> None:
    one, other = {"fingerprint": "a"}, {"fingerprint": "b"}
    alerts.send(alert(**one), alert(**other))
    alerts.send(alert(status="resolved", **one), alert(**other))
    assert alerts.issues()[0]["status"] == "RECEIVED"
    alerts.send(alert(status="resolved", **one), alert(status="resolved", **other))
    assert alerts.issues()[0]["status"] == "ABORTED"


def test_an_issue_that_a_person_has_touched_gets_a_comment(alerts: AlertsEnv) -> None:
    alerts.send(alert())
    comments.add_comment(alerts.env.board, 1, Actor.of(ENGINEER), "보고 있습니다")
    alerts.send(alert(status="resolved"))
    assert alerts.issues()[0]["status"] == "RECEIVED"
    assert "여전히 필요한지" in alerts.comments(1)[-1]
    assert [entry["sr_id"] for entry in alerts.entries("alert_resolved")] == [1]


def test_an_issue_on_which_an_agent_works_gets_a_comment(alerts: AlertsEnv) -> None:
    alerts.send(alert())
    claim = alerts.env.claim("dispatcher")
    alerts.send(alert(status="resolved"))
    assert alerts.issues()[0]["status"] == "RECEIVED" and claim.sr_id == 1
    assert "여전히 필요한지" in alerts.comments(1)[-1]


@pytest.mark.slow
def test_an_alert_that_fires_again_reopens_the_issue_it_closed(alerts: AlertsEnv) -> None:
    alerts.send(alert())
    alerts.send(alert(status="resolved"))
    alerts.wait(minutes=20)
    alerts.send(alert(started=alerts.now))
    (issue,) = alerts.issues()
    assert issue["status"] == "MANUAL"  # it had no server yet that an agent was given
    assert "다시 열었습니다" in alerts.comments(1)[-1]
    assert len(alerts.entries("alert_reopened")) == 1


def test_later_it_opens_a_new_issue_that_names_the_last_one(alerts: AlertsEnv) -> None:
    alerts.send(alert())
    alerts.send(alert(status="resolved"))
    alerts.wait(hours=2)
    alerts.send(alert(started=alerts.now))
    first, second = alerts.issues()
    assert (first["status"], second["status"]) == ("ABORTED", "RECEIVED")
    assert "이전 이슈: SR-1" in second["body"]


@pytest.mark.slow
def test_a_flapping_alert_keeps_its_issue_open_and_does_not_wake_agents_without_end(
    alerts: AlertsEnv,
) -> None:
    for _ in range(12):
        alerts.send(alert(started=alerts.now))
        alerts.wait(minutes=2)
        alerts.send(alert(status="resolved", started=alerts.now - timedelta(minutes=2)))
        alerts.wait(minutes=2)
    (issue,) = alerts.issues()
    assert issue["status"] == "MANUAL"
    assert len(alerts.entries("alert_closed")) == 4
    wakes = alerts.rows("select reason from tb_wake")
    assert [row["reason"] for row in wakes] == [WakeReason.ASSIGNMENT]


@pytest.mark.parametrize("later", [0, 30])
@pytest.mark.slow
def test_a_late_report_of_a_resolved_episode_changes_nothing(alerts: AlertsEnv, later: int) -> None:
    alerts.send(alert())
    alerts.send(alert(status="resolved"))
    alerts.wait(seconds=later)
    alerts.send(alert(), alert(started=BEGIN - timedelta(hours=1)))
    assert alerts.alerts()[0]["state"] == "RESOLVED"
    assert alerts.issues()[0]["status"] == "ABORTED"


def test_the_same_episode_fires_again_after_its_source_lost_its_rules(alerts: AlertsEnv) -> None:
    alerts.send(alert())
    alerts.send(alert(status="resolved"))
    alerts.wait(minutes=5)
    alerts.send(alert())
    assert alerts.alerts()[0]["state"] == "FIRING"
    assert len(alerts.entries("alert_reopened")) == 1


def test_a_resolution_without_an_alert_is_recorded_only(alerts: AlertsEnv) -> None:
    alerts.send(alert(status="resolved"))
    assert alerts.issues() == [] and alerts.alerts()[0]["state"] == "RESOLVED"


@pytest.mark.slow
def test_an_alert_that_fires_on_after_its_issue_was_completed_opens_another(
    alerts: AlertsEnv,
) -> None:
    alerts.send(alert())
    (task,) = alerts.rows("select task_id from tb_ops_task")
    for verb in ("manual", "complete"):
        request = directives.DirectiveRequest(verb, "조치했습니다")
        directives.issue_directive(alerts.env.board, ENGINEER, task["task_id"], request)
    alerts.wait(minutes=5)
    alerts.send(alert())
    assert len(alerts.issues()) == 1
    alerts.wait(minutes=20)
    alerts.send(alert())
    assert [issue["status"] for issue in alerts.issues()] == ["COMPLETED", "RECEIVED"]


def test_omitted_alerts_are_logged(alerts: AlertsEnv) -> None:
    alerts.post("alertmanager", group(alert(), truncated=7))
    alerts.settle()
    assert [entry["detail"]["omitted"] for entry in alerts.entries("alerts_omitted")] == [7]


@pytest.mark.slow
def test_a_storm_opens_few_issues_and_loses_no_alert(env: BoardEnv) -> None:
    alerts = AlertsEnv(env, alert_settings(alert_issues_per_minute=5))
    for batch in range(10):
        hosts = [f"host-{batch}-{number}.example.kr" for number in range(100)]
        many = [alert(instance=host, fingerprint=host, severity="warning") for host in hosts]
        assert alerts.post("alertmanager", group(*many)).status_code == 200
    alerts.settle()
    assert len(alerts.issues()) == 6
    assert len(alerts.alerts()) == 1000 and all(row["sr_id"] for row in alerts.alerts())
    storm = alerts.issues()[-1]
    assert (
        storm["title"] == "[경보 폭주] Alertmanager" and storm["triage"]["given"]["servers"] == []
    )
    resolved = [
        alert(instance=row["host"], fingerprint=row["key"], status="resolved", severity="warning")
        for row in alerts.alerts()
    ]
    alerts.send(*resolved)
    assert {issue["status"] for issue in alerts.issues()} == {"ABORTED"}


@pytest.mark.slow
def test_a_storm_costs_a_bounded_number_of_statements_and_comments(
    env: BoardEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changed, "_BATCH", 20)
    alerts = AlertsEnv(env, alert_settings(alert_issues_per_minute=2))
    many = [alert(instance=f"host-{number}", fingerprint=f"{number}") for number in range(400)]
    with recorded_statements(alerts.env.board) as found:
        alerts.send(*many)
    assert len(alerts.issues()) == 3
    assert len(found) < 400
    assert len(alerts.comments(3)) == 4  # when their number has doubled


@pytest.mark.slow
def test_an_issue_that_an_agent_has_handed_to_people_is_closed_until_one_acts(
    alerts: AlertsEnv,
) -> None:
    for number, touched in ((1, False), (2, True)):
        started = alerts.now
        alerts.send(alert(instance=f"10.99.0.{number}", started=started))
        tasks.hand_over(alerts.env.board, alerts.env.claim("dispatcher"), "대상 서버를 모릅니다.")
        if touched:
            comments.add_comment(alerts.env.board, number, Actor.of(ENGINEER), "확인 중")
        alerts.send(alert(instance=f"10.99.0.{number}", status="resolved", started=started))
    assert [issue["status"] for issue in alerts.issues()] == ["ABORTED", "MANUAL"]


def test_a_plan_that_waits_for_approval_is_left_to_its_approvers(alerts: AlertsEnv) -> None:
    alerts.send(alert())
    board = alerts.env.board
    assignments.file_triage(board, alerts.env.claim("dispatcher"), assignment("MOF-DB-01"))
    tasks.file_plan(board, alerts.env.claim("db-agent"), plan())
    alerts.send(alert(status="resolved"))
    assert alerts.issues()[0]["status"] == "PENDING_APPROVAL"
    assert "여전히 필요한지" in alerts.comments(1)[-1]


def test_a_reopened_issue_returns_to_its_agent(alerts: AlertsEnv) -> None:
    alerts.send(alert())
    board = alerts.env.board
    assignments.file_triage(board, alerts.env.claim("dispatcher"), assignment("MOF-DB-01"))
    alerts.send(alert(status="resolved"))
    assert alerts.issues()[0]["status"] == "ABORTED"
    alerts.wait(minutes=5)
    alerts.send(alert(started=alerts.now))
    assert alerts.issues()[0]["status"] == "PARSED"
    assert alerts.env.claim("db-agent").sr_id == 1
