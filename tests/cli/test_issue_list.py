"""`guardia list` and `guardia show`: the filter of the page, people, cause, action, result."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from board_env import LEAD, BoardEnv
from command_line import command_env, output, refusal
from page_env import IssueScenario

from guardia.board.approvals import decisions
from guardia.errors import Invalid, NotFound


@pytest.fixture
def env(database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BoardEnv]:
    with command_env(database, tmp_path, monkeypatch) as found:
        yield found


@pytest.mark.slow
def test_issues_are_listed_by_the_filter_of_the_page(env: BoardEnv) -> None:
    scenario = IssueScenario(env).receive("운영DB가 느려요").parse()
    others = [env.create_issue(text=f"요청 {n}") for n in range(3)]
    shown = output("list", "server:MOF-DB-01", "느려요")
    assert f"SR-{scenario.sr_id}" in shown and "전체 1건" in shown
    found = json.loads(output("list", "--json", "--limit", "2", "요청"))
    assert [one["number"] for one in found["issues"]] == others[:0:-1]
    assert (found["total"], found["total_is_exact"]) == (3, True)
    rest = json.loads(output("list", "--json", "--before", found["next"], "요청"))
    assert [one["number"] for one in rest["issues"]] == others[:1]
    assert json.loads(output("list", "--json", "is:closed"))["issues"] == []
    mine = json.loads(output("list", "--json", "assignee:@me", "--as", "eng"))
    assert [one["number"] for one in mine["issues"]] == [scenario.sr_id]
    refusal(Invalid, "list", "asignee:me")
    refusal(Invalid, "list", "--state", "weg")


@pytest.mark.slow
def test_an_issue_is_shown_with_people_cause_action_and_result(env: BoardEnv) -> None:
    scenario = IssueScenario(env).waiting()
    assert "원인:" in output("show", scenario.sr_id)
    decisions.decide(
        env.board, LEAD, scenario.claim.task_id, approve=True, plan_hash=scenario.plan_hash
    )
    scenario.start().complete()
    text = output("show", scenario.sr_id)
    for part in ("완료", "담당자: 김철수 대리", "결재자: 정다은 팀장", "원인: 세션 4711", "결과:"):
        assert part in text, text
    found = json.loads(output("show", scenario.sr_id, "--json"))
    assert (found["number"], found["status"]) == (scenario.sr_id, "COMPLETED")
    assert found["tasks"][0]["cause"].startswith("세션 4711")
    assert found["approvers"] == ["정다은 팀장"]
    refusal(NotFound, "show", "999", "--json")
