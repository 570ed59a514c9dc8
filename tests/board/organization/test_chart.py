"""Applied charts are numbered, logged with author and differences, and serialized."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from board_env import BoardEnv, seeded_env
from sqlalchemy import select

from guardia.board.audit.model import AuditEntry
from guardia.board.core.actors import Actor
from guardia.board.organization import chart as organization_chart
from guardia.errors import Misconfigured, Stale
from guardia.org import chart, chart_edit, revisions

SHIPPED = chart.shipped_chart_path().read_text("utf-8")
CLERK = {
    "id": "net-agent",
    "title": "네트워크 전문가",
    "duty": "operate",
    "reports_to": "dispatcher",
}


@pytest.fixture
def env(database: Any) -> Iterator[BoardEnv]:
    with seeded_env(database.app) as found:
        yield found


def latest_entry(env: BoardEnv) -> AuditEntry:
    with env.board.database.reading() as session:
        query = select(AuditEntry).where(AuditEntry.kind == "org_applied")
        return session.scalars(query.order_by(AuditEntry.seq.desc())).first()  # type: ignore[return-value]


def test_a_revision_is_logged_with_author_and_differences(env: BoardEnv) -> None:
    text = chart_edit.set_field(
        chart_edit.hire(SHIPPED, CLERK), "db-agent", "heartbeat.every", "3m"
    )
    text = chart_edit.fire(text, "sec-agent")
    assert (
        organization_chart.apply_chart(env.board, text, Actor.operator("test"), expected_revision=1)
        == 2
    )
    entry = latest_entry(env)
    assert (entry.actor, entry.detail["before"]) == ("operator:test", 1)
    assert entry.detail["changes"] == [
        "에이전트 삭제: sec-agent (보안 전문가)",
        "에이전트 추가: net-agent (네트워크 전문가)",
        "변경: db-agent.heartbeat.every: 10m → 3m",
    ]
    organization_chart.apply_chart(env.board, text + "# 글\n", Actor.operator("test"))
    assert latest_entry(env).detail["changes"] == ["설정은 동일하며 문구와 주석만 변경됨"]
    with env.board.database.reading() as session:
        found = revisions.history(session, limit=2)
        assert [r.number for r in found] == [3, 2]
        assert [r.number for r in revisions.history(session, before=2)] == [1]
        assert revisions.chart_text(session, 1) == SHIPPED


def test_a_bad_or_an_unchanged_chart_changes_nothing(env: BoardEnv) -> None:
    with pytest.raises(Misconfigured):
        organization_chart.apply_chart(
            env.board, SHIPPED.replace("duty: audit", "duty: x"), Actor.operator("test")
        )
    assert organization_chart.apply_chart(env.board, SHIPPED, Actor.operator("test")) == 1
    assert latest_entry(env).detail["revision"] == 1


def test_the_second_of_two_concurrent_revisions_is_stale(env: BoardEnv) -> None:
    def hire(number: int) -> int | None:
        text = chart_edit.hire(SHIPPED, {**CLERK, "id": f"agent-{number}"})
        try:
            return organization_chart.apply_chart(env.board, text, Actor.person(str(number)), 1)
        except Stale:
            return None

    with ThreadPoolExecutor(4) as several:
        results = list(several.map(hire, range(4)))
    assert sorted(r or 0 for r in results) == [0, 0, 0, 2]
