"""The page of alerts and maintenance windows, and its permissions."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from alerts_env import AlertsEnv, alert
from board_env import BoardEnv
from page_env import PageClient

from guardia.board.alerts import view

SignIn = Callable[[str], PageClient]
WINDOW = "/alerts/maintenance"


@pytest.fixture
def alerts(web_env: BoardEnv) -> AlertsEnv:
    return AlertsEnv(web_env, now=datetime.now(UTC))


@pytest.mark.slow
def test_the_page_lists_alerts_by_state_with_their_issues(
    alerts: AlertsEnv, sign_in_as: SignIn
) -> None:
    alerts.send(
        alert("<b>Disk</b>", started=alerts.now),
        alert("Gone", status="resolved", started=alerts.now),
        {**alert("Link", started=alerts.now), "generatorURL": "javascript:alert(1)"},
    )
    page = sign_in_as("lead").get_page("/alerts").text
    assert "&lt;b&gt;Disk&lt;/b&gt;" in page and "<b>Disk" not in page
    assert 'href="/issues/1"' in page and "javascript:" not in page
    firing = sign_in_as("lead").get_page("/alerts?state=FIRING").text
    assert "Link" in firing and "Gone" not in firing


@pytest.mark.slow
def test_a_window_is_declared_shown_and_ended_on_the_page(
    alerts: AlertsEnv, sign_in_as: SignIn
) -> None:
    lead = sign_in_as("lead")
    fields = {"server": "MOF-DB-01", "ends": "23:59", "reason": "디스크 교체"}
    assert lead.submit_form(WINDOW, "/alerts", **fields).status_code == 303
    alerts.send(alert(started=alerts.now))
    page = lead.get_page("/alerts").text
    assert "디스크 교체" in page and "유지보수 시간 1번" in page and "정다은" in page
    assert lead.submit_form(f"{WINDOW}/1/end", "/alerts").status_code == 303
    assert "디스크 교체" not in lead.get_page("/alerts").text
    assert lead.submit_form(f"{WINDOW}/1/end", "/alerts").status_code == 404


@pytest.mark.parametrize(
    "wrong", [{}, {"ends": "23:59"}, {"ends": "x", "reason": "r"}, {"ends": "23:59", "server": "X"}]
)
@pytest.mark.slow
def test_a_wrong_window_keeps_what_was_filled_in(sign_in_as: SignIn, wrong: dict[str, str]) -> None:
    answer = sign_in_as("eng").submit_form(WINDOW, "/alerts", **wrong)
    assert 400 <= answer.status_code < 500
    assert f'value="{wrong.get("ends", "")}"' in answer.text


@pytest.mark.slow
def test_customers_see_no_alerts_and_auditors_declare_no_windows(sign_in_as: SignIn) -> None:
    customer, auditor = sign_in_as("cus"), sign_in_as("audit")
    assert customer.get_page("/alerts").status_code == 403
    assert auditor.get_page("/alerts").status_code == 200
    fields = {"ends": "23:59", "reason": "r"}
    for person in (customer, auditor):
        assert person.submit_form(WINDOW, "/issues", **fields).status_code == 403


@pytest.mark.slow
def test_pages_of_many_alerts_follow_each_other(
    alerts: AlertsEnv, sign_in_as: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "PAGE_SIZE", 2)
    for number in range(5):
        alerts.now += timedelta(seconds=1)
        alerts.send(alert(f"A{number}", severity="none", started=alerts.now))
    lead, seen, following = sign_in_as("lead"), list[str](), "/alerts"
    for _ in range(3):
        page = lead.get_page(following).text
        seen += re.findall(r">(A\d)</a>", page)
        found = re.search(r'href="(/alerts\?[^"]*before=[^"&]+)"', page)
        following = html.unescape(found[1]) if found else ""
    assert (seen, following) == (["A4", "A3", "A2", "A1", "A0"], "")
