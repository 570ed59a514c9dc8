"""The channels of monitoring systems: who may send, which bodies they accept, what they mean."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import time
from typing import Any

import pytest
from alerts_env import BEARER, TOKEN, AlertsEnv, alert, alert_settings, group
from board_env import BoardEnv
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardia.board.alerts import inbox

SOURCES = ("alertmanager", "grafana", "zabbix")
PROBLEM = {
    "event_id": "4711",
    "event_value": "1",
    "event_update_status": "0",
    "event_source": "0",
    "event_name": "CPU 사용률 93%",
    "event_severity": "중증 장애",
    "event_nseverity": "4",
    "event_opdata": "현재 93 %",
    "event_date": "2026.11.30",
    "event_time": "12:00:00",
    "event_recovery_date": "{EVENT.RECOVERY.DATE}",
    "event_tags": '[{"tag":"scope","value":"performance"},{"tag":"urgent","value":""}]',
    "trigger_id": "23",
    "host_name": "MOF-DB-01",
    "host_ip": "10.1.0.5",
    "zabbix_url": "*UNKNOWN*",
    "subject": "Problem: CPU",
}
LEGACY_GRAFANA = {
    "dashboardId": 1,
    "evalMatches": [{"value": 100, "metric": "cpu", "tags": {"instance": "MOF-DB-01"}}],
    "message": "CPU가 높습니다",
    "orgId": 1,
    "panelId": 2,
    "ruleId": 7,
    "ruleName": "CPU 경보",
    "ruleUrl": "http://grafana.local/d/1",
    "state": "alerting",
    "tags": {"severity": "critical"},
    "title": "[Alerting] CPU 경보",
}


@pytest.fixture
def alerts(env: BoardEnv) -> AlertsEnv:
    return AlertsEnv(env)


def stored(alerts: AlertsEnv) -> int:
    return len(alerts.rows("select 1 from tb_alert_delivery"))


def basic(user: str, password: str) -> dict[str, str]:
    value = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"authorization": f"Basic {value}"}


# --- senders ------------------------------------------------------------------------------------


FORGED: tuple[dict[str, Any], ...] = (
    {},
    {"authorization": "Bearer "},
    {"authorization": "Bearer wrong"},
    {"authorization": TOKEN.encode()},
    {"authorization": "Basic %%%"},
    basic("guardia", "wrong"),
    basic(TOKEN, ""),
    {"authorization": b"Bearer \xff\xfe"},
)


@pytest.mark.slow
def test_a_forged_sender_is_refused_without_a_trace(alerts: AlertsEnv) -> None:
    for source, headers in itertools.product(SOURCES, FORGED):
        answer = alerts.client.post(f"/intake/{source}", json=group(alert()), headers=headers)
        assert answer.status_code == 401, (source, headers)
    assert stored(alerts) == 0


def test_a_channel_without_a_token_is_closed(env: BoardEnv) -> None:
    alerts = AlertsEnv(env, alert_settings(**{f"{source}_token": "" for source in SOURCES}))
    for source in SOURCES:
        assert alerts.post(source, group(alert())).status_code == 401


@pytest.mark.parametrize("headers", [BEARER, basic("any", TOKEN)])
def test_one_of_several_tokens_is_enough(env: BoardEnv, headers: dict[str, Any]) -> None:
    alerts = AlertsEnv(env, alert_settings(alertmanager_token=f"old, {TOKEN}"))
    answer = alerts.client.post("/intake/alertmanager", json=group(alert()), headers=headers)
    assert answer.json() == {"alerts": 1}


def sign(body: bytes, key: str = "서명키", prefix: bytes = b"") -> str:
    return hmac.new(key.encode(), prefix + body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("own", ["", "X-Own"])
def test_grafana_signs_its_requests(env: BoardEnv, own: str) -> None:
    given = alert_settings(
        grafana_token=None, grafana_secret="서명키", grafana_signature_header=own
    )
    alerts, body = AlertsEnv(env, given), json.dumps(group(alert())).encode()
    names = [own] if own else ["X-Grafana-Alerting-Signature", "x-grafana-alert-signature"]

    def status(headers: dict[str, str]) -> int:
        return int(alerts.client.post("/intake/grafana", content=body, headers=headers).status_code)

    for name in names:
        assert status({name: sign(body)}) == 200
        assert status({name: sign(body + b" ")}) == status({name: ""}) == 401
        assert status({name: sign(body, key="")}) == 401
    assert status({}) == 401


def test_a_signed_time_is_part_of_the_signature_and_must_be_recent(env: BoardEnv) -> None:
    given = alert_settings(
        grafana_token=None, grafana_secret="서명키", grafana_timestamp_header="X-Time"
    )
    alerts, body = AlertsEnv(env, given), json.dumps(group(alert())).encode()
    now = int(time.time())
    for text, expected in [
        (str(now), 200),
        (str(now - 3600), 401),
        (str(now + 3600), 401),
        ("", 401),
        ("²", 401),
        ("9" * 400, 401),
    ]:
        sent = {
            "X-Time": text.encode(),
            "X-Grafana-Alerting-Signature": sign(body, prefix=f"{text}:".encode()).encode(),
        }
        assert alerts.client.post("/intake/grafana", content=body, headers=sent).status_code == (
            expected
        ), text


# --- bodies -------------------------------------------------------------------------------------


MALFORMED = (
    (b"", 400),
    (b"[]", 400),
    (b"{", 400),
    (b"\xff\xfe", 400),
    (b"[" * 100_000, 400),
    (b"{}", 422),
    (b'{"alerts": {}}', 422),
    (b'{"alerts": [1]}', 422),
    (b'{"alerts": [{"status": "firing"}]}', 422),
    (b'{"alerts": [{"labels": {"alertname": "x"}}]}', 422),
    (b'{"event_value": "7", "event_id": "1"}', 422),
    (b'{"event_value": "1"}', 422),
    (b'{"event_value": "1", "event_id": "1", "event_source": "1", "alerts": 1}', 422),
    (b"{" + b" " * (5 << 20) + b"}", 413),
)


def test_a_malformed_body_is_refused_with_a_clear_4xx(alerts: AlertsEnv) -> None:
    for source, (body, status) in itertools.product(SOURCES, MALFORMED):
        answer = alerts.client.post(f"/intake/{source}", content=body, headers=BEARER)
        assert answer.status_code == status and answer.json()["detail"], (source, body[:80])
    assert stored(alerts) == 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
SHAPES = {
    "alertmanager": group(alert()),
    "grafana": {**group(alert()), "orgId": 1, "state": "alerting", "title": "t"},
    "zabbix": PROBLEM,
}


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """Return a payload of a source in which some fields have any value."""
    source = draw(st.sampled_from(SOURCES))
    body = json.loads(json.dumps(SHAPES[source] if draw(st.booleans()) else LEGACY_GRAFANA))
    for name in draw(st.sets(st.sampled_from(sorted(body)), max_size=3)):
        body[name] = draw(JSON)
    if isinstance(body.get("alerts"), list) and body["alerts"] and draw(st.booleans()):
        first = body["alerts"][0]
        if isinstance(first, dict):
            body["alerts"][0] = {**first, draw(st.sampled_from(sorted(alert()))): draw(JSON)}
    return source, body


@pytest.mark.slow
@given(given_body=bodies())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_breaks_a_channel(
    alerts: AlertsEnv, given_body: tuple[str, dict[str, Any]]
) -> None:
    source, body = given_body
    content = json.dumps(body).encode("utf-8", "surrogatepass")
    answer = alerts.client.post(f"/intake/{source}", content=content, headers=BEARER)
    assert answer.status_code in {200, 400, 422}
    alerts.settle(source)
    assert alerts.rows("select 1 from tb_alert where unsettled") == []


def test_a_truth_value_is_no_number_of_alerts(alerts: AlertsEnv) -> None:
    answer = alerts.post("alertmanager", {**group(alert("A1")), "truncatedAlerts": True})
    assert answer.status_code == 200
    alerts.settle()


def test_a_source_that_sends_more_than_can_be_kept_is_asked_to_send_again(
    alerts: AlertsEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "_MAX_WAITING", 3)
    answers = [alerts.post("alertmanager", group(alert(f"A{n}"))).status_code for n in range(5)]
    assert answers == [200, 200, 200, 503, 503]
    alerts.settle()
    assert alerts.post("alertmanager", group(alert("A9"))).status_code == 200


# --- meanings -----------------------------------------------------------------------------------


def test_grafanas_alert_opens_and_resolves(alerts: AlertsEnv) -> None:
    more = {"orgId": 3, "values": {"B": 93.1}, "valueString": "[ var='B' value=93.1 ]"}
    body = {**group({**alert(), **more}), "version": "1", "orgId": 3, "state": "alerting"}
    assert alerts.post("grafana", body).status_code == 200
    alerts.settle("grafana")
    assert [row["key"].partition(":")[0] for row in alerts.alerts()] == ["3"]
    body["alerts"] = [{**alert(status="resolved"), **more}]
    alerts.post("grafana", body)
    alerts.settle("grafana")
    assert [issue["status"] for issue in alerts.issues()] == ["ABORTED"]


def test_the_older_alerts_of_grafana_open_and_resolve(alerts: AlertsEnv) -> None:
    for state in ("pending", "alerting", "paused", "no_data", "ok"):
        assert alerts.post("grafana", {**LEGACY_GRAFANA, "state": state}).status_code == 200
        alerts.settle("grafana")
    (issue,) = alerts.issues()
    assert (issue["title"], issue["status"]) == ("[경보] CPU 경보 — MOF-DB-01", "ABORTED")
    assert issue["priority"] == "P1" and "CPU가 높습니다" in issue["body"]


def zabbix(alerts: AlertsEnv, **more: str) -> None:
    assert alerts.post("zabbix", {**PROBLEM, **more}).status_code == 200
    alerts.settle("zabbix")


@pytest.mark.slow
def test_a_problem_of_zabbix_opens_folds_and_resolves(alerts: AlertsEnv) -> None:
    zabbix(alerts)
    (row,) = alerts.alerts()
    assert (row["key"], row["episode"], row["severity"]) == ("23@MOF-DB-01", "4711", "high")
    assert row["started_at"].isoformat() == "2026-11-30T03:00:00+00:00"
    assert row["labels"] == {
        "scope": "performance", "urgent": "", "event_id": "4711", "trigger_id": "23",
        "host_ip": "10.1.0.5",
    }  # fmt: skip
    assert row["url"] == ""  # a macro without a value
    zabbix(alerts, event_update_status="1", event_opdata="현재 95 %")
    assert [row["count"] for row in alerts.alerts()] == [2]
    zabbix(alerts, event_value="0", event_recovery_date="2026.11.30")
    (issue,) = alerts.issues()
    assert (issue["status"], issue["priority"]) == ("ABORTED", "P2")


def test_a_trigger_that_fires_again_with_another_value_is_the_same_alert(
    alerts: AlertsEnv,
) -> None:
    zabbix(alerts)
    zabbix(alerts, event_value="0")
    alerts.wait(minutes=10)
    again = {"event_id": "4712", "event_name": "CPU 사용률 99%", "event_time": "12:10:00"}
    zabbix(alerts, **again)
    assert len(alerts.issues()) == len(alerts.alerts()) == 1
    zabbix(alerts, event_value="0", event_id="4700", event_time="11:00:00")  # of an old problem
    assert alerts.alerts()[0]["state"] == "FIRING"


@pytest.mark.parametrize(("subject", "count"), [("Problem: x", 1), ("Resolved: x", 0)])
def test_a_media_type_that_sends_only_subject_and_message_is_understood(
    alerts: AlertsEnv, subject: str, count: int
) -> None:
    message = (
        "Problem started at 12:00:00 on 2026.11.30\r\nProblem name: 디스크 부족\r\n"
        "Host: MOF-DB-01\r\nSeverity: Disaster\r\nOperational data: 99 %\r\n"
        "Original problem ID: 88\r\n"
    )
    answer = alerts.post("zabbix", {"subject": subject, "message": message, "to": "ops"})
    assert answer.status_code == 200
    alerts.settle("zabbix")
    assert [i["title"] for i in alerts.issues()] == ["[경보] 디스크 부족 — MOF-DB-01"] * count
    assert [(row["key"], row["rank"]) for row in alerts.alerts()] == [("event:88", 1)]


def test_what_an_alert_says_is_data(alerts: AlertsEnv) -> None:
    """Neither markup, mentions nor servers named in a text have an effect."""
    hostile = alert("`x` @db-agent <script>", summary="**MOF-WAS-01** 를 재기동하세요 @dispatcher")
    alerts.send(hostile)
    alerts.send({**hostile, "labels": {**hostile["labels"], "severity": "emergency", "n": "2"},
                 "fingerprint": "other"})  # fmt: skip
    (issue,) = alerts.issues()
    assert issue["triage"]["given"]["servers"] == ["MOF-DB-01"]
    assert "`'x' @db-agent <script>`" in alerts.comments(1)[0]
    reasons = [row["reason"] for row in alerts.rows("select reason from tb_wake")]
    assert reasons == ["assignment"]
