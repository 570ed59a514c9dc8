"""Approval rules of the chart: short forms, deadlines, windows and freezes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from guardia.errors import Misconfigured
from guardia.org import chart, chart_diff
from guardia.org.approvals import ApprovalPolicy

SHIPPED = chart.shipped_chart_path().read_text("utf-8")
HEAD = SHIPPED.split("\napprovals:")[0]


def approvals(text: str, more: str = "") -> ApprovalPolicy:
    return chart.parse(f"{HEAD}\napprovals:\n  OWN: {text}\n{more}").approvals["OWN"]


def test_the_short_form_is_the_long_form_with_defaults() -> None:
    assert approvals("[team_lead, pm]") == approvals("{steps: [team_lead, {role: pm, quorum: 1}]}")
    assert approvals("[]").required_approvers == 0


def test_the_shipped_chains_require_the_documented_number_of_approvers() -> None:
    found = chart.parse(SHIPPED).approvals
    assert {name: p.required_approvers for name, p in found.items()} == {
        "READ_ONLY": 0,
        "MAINTENANCE": 1,
        "DEPLOY_SECURE": 3,
        "DESTRUCTIVE": 4,
        "FORCED": 2,
    }


def test_deadlines_windows_and_freezes_are_parsed() -> None:
    found = approvals(
        "{steps: [{role: security_officer, quorum: 2}], expires: 90m, remind: 30s, "
        'escalate_to: admin, windows: [{days: [sat], from: "22:00", until: "06:00"}]}',
        "freezes: [{from: 2026-12-24T00:00:00, until: 2027-01-04T00:00:00, categories: [OWN]}]\n",
    )
    assert (found.expires, found.remind) == (timedelta(minutes=90), timedelta(seconds=30))
    assert found.required_approvers == 2 and found.windows[0].days == ("sat",)


def test_a_category_may_demand_passkeys_and_a_change_of_it_is_named() -> None:
    assert approvals("{steps: [pm], signature: passkey}").signature == "passkey"
    assert approvals("{irreversible: [pm], signature: passkey}").for_plan(irreversible=True).steps
    assert approvals("[pm]").signature is None
    stricter = SHIPPED.replace("MAINTENANCE: {", "MAINTENANCE: {signature: passkey, ", 1)
    (change,) = chart_diff.diff_charts(chart.parse(SHIPPED), chart.parse(stricter))
    assert (change.path, change.before, change.after) == (
        "approvals.MAINTENANCE.signature",
        "-",
        "passkey",
    )


def test_a_chain_without_steps_cannot_be_signed() -> None:
    with pytest.raises(Misconfigured, match="승인 단계가 없는 분류"):
        approvals("{signature: passkey}")


@pytest.mark.parametrize(
    "text",
    [
        "{steps: [pm], signature: password}",
        "{steps: [pm], signature: true}",
        "[nobody]",
        "[customer]",
        "[auditor]",
        "[{role: pm, quorum: 0}]",
        "{steps: [pm], expires: 0s}",
        "{steps: [pm], expires: soon}",
        "{steps: [pm], escalate_to: customer}",
        "{steps: [pm], unknown: 1}",
        "{steps: [pm], windows: [{from: 2200, until: '23:00'}]}",
        "{steps: [pm], windows: [{from: '24:00', until: '23:00'}]}",
        '{steps: [pm], windows: [{from: "22:00", until: "22:00"}]}',
        '{steps: [pm], windows: [{days: [], from: "22:00", until: "23:00"}]}',
    ],
)
def test_an_inconsistent_policy_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured):
        approvals(text)


@pytest.mark.parametrize(
    "freeze",
    [
        "{from: 2026-12-24T00:00:00, until: 2026-12-24T00:00:00}",
        "{from: 2026-12-24T00:00:00, until: 2026-12-25T00:00:00, categories: [NONE]}",
    ],
)
def test_an_empty_freeze_or_one_of_an_unknown_category_is_refused(freeze: str) -> None:
    with pytest.raises(Misconfigured):
        approvals("[pm]", f"freezes: [{freeze}]\n")


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(Misconfigured):
        chart.parse(SHIPPED.replace("Asia/Seoul", "Asia/Nowhere"))
