"""The operator's commands for the organization: `guardia org`, `hire`, `fire`, `agent`."""

from __future__ import annotations

import json
import time
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from board_env import BoardEnv
from command_line import command_env, invoke, refusal
from ruamel.yaml import YAML

from guardia.board.core.actors import Actor
from guardia.board.integrity import daily_report
from guardia.board.organization import chart as organization_chart
from guardia.board.runs import beats
from guardia.errors import Invalid, Misconfigured, NotFound, Refused, Unreachable
from guardia.i18n import t
from guardia.org import chart, chart_edit

SHIPPED = chart.shipped_chart_path().read_text("utf-8")


@pytest.fixture
def env(database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BoardEnv]:
    """Apply the shipped chart, and put its file where the commands find it."""
    chart_file = tmp_path / "조직도.yaml"
    chart_file.write_text(SHIPPED, "utf-8")
    with command_env(
        database, tmp_path / "home", monkeypatch, people=False, GUARDIA_CHART=str(chart_file)
    ) as env:
        yield env


def file(tmp_path: Path) -> Path:
    return tmp_path / "조직도.yaml"


@pytest.mark.slow
def test_a_change_is_planned_applied_compared_and_rolled_back(
    env: BoardEnv, tmp_path: Path
) -> None:
    assert invoke("org", "plan").exit_code == 0
    changed = chart_edit.set_field(
        chart_edit.fire(SHIPPED, "sec-agent"), "db-agent", "title", "DB 도사"
    )
    file(tmp_path).write_text(changed, "utf-8")
    planned = invoke("org", "plan")
    assert planned.exit_code == 2
    assert "에이전트 삭제: sec-agent" in planned.output and "DB 전문가 → DB 도사" in planned.output
    declined = invoke("org", "apply", answer="n\n")
    assert declined.exit_code == 1 and organization_chart.running_text(env.board) == (1, SHIPPED)
    assert "개정 2" in invoke("org", "apply", "--yes").output
    assert "에이전트 삭제: sec-agent" in invoke("org", "diff", 1).output
    assert "에이전트 추가: sec-agent" in invoke("org", "diff", 2, 1).output
    assert invoke("org", "rollback", 1).exit_code == 0
    assert organization_chart.running_text(env.board) == (3, SHIPPED)
    assert invoke("org", "plan").exit_code == 2, "the file was not rolled back"
    assert invoke("org", "show", "--yaml").output == SHIPPED
    shown = invoke("org", "history").output
    assert [number for number in ("3", "2", "1") if f" {number} " in shown] == ["3", "2", "1"]
    refusal(NotFound, "org", "rollback", 9)


@pytest.mark.slow
def test_hiring_and_firing_edit_the_file_and_the_organization(
    env: BoardEnv, tmp_path: Path
) -> None:
    words = ("net-agent", "--title", "네트워크 전문가", "--skills", "NETWORK, OS")
    assert invoke("hire", *words).exit_code == 0
    number, text = organization_chart.running_text(env.board)
    assert (number, text) == (2, file(tmp_path).read_text("utf-8"))
    assert chart.parse(text).agents[-1].skills == ("NETWORK", "OS")
    assert invoke("fire", "net-agent", "--yes").exit_code == 0
    assert file(tmp_path).read_text("utf-8") == SHIPPED
    assert "유일한" in refusal(Invalid, "fire", "dispatcher", "--yes")
    snippet = tmp_path / "둘.yaml"
    snippet.write_text("- {id: two, title: 둘}\n- {id: three, title: 셋}\n", "utf-8")
    refusal(Invalid, "hire", "--from", snippet)
    snippet.write_text("- id: two\n  title: 둘\n  skills: [DB]\n", "utf-8")
    assert invoke("hire", "--from", snippet).exit_code == 0
    assert chart.parse(file(tmp_path).read_text("utf-8")).agents[-1].reports_to == "dispatcher"


def test_a_file_that_differs_from_the_running_chart_is_not_edited(
    env: BoardEnv, tmp_path: Path
) -> None:
    file(tmp_path).write_text(SHIPPED + "# 다른 글\n", "utf-8")
    assert "guardia org plan" in refusal(Invalid, "fire", "sec-agent", "--yes")
    assert file(tmp_path).read_text("utf-8").endswith("# 다른 글\n")
    assert organization_chart.running_text(env.board) == (1, SHIPPED)
    assert len(list(tmp_path.glob(".*"))) == 0


@pytest.mark.slow
def test_a_bad_file_is_reported_with_a_path_and_changes_nothing(
    env: BoardEnv, tmp_path: Path
) -> None:
    file(tmp_path).write_text(SHIPPED.replace("duty: audit", "duty: sleep"), "utf-8")
    for words in (("org", "validate"), ("org", "plan"), ("org", "apply")):
        assert "agents.auditor.duty" in refusal(Misconfigured, *words)
    file(tmp_path).write_bytes("company: 가".encode("cp949"))
    assert "UTF-8" in refusal(Invalid, "org", "validate")
    assert organization_chart.running_text(env.board) == (1, SHIPPED)


@pytest.mark.slow
def test_agents_are_paused_resumed_and_woken(env: BoardEnv) -> None:
    assert invoke("agent", "pause", "db-agent").exit_code == 0
    assert "이미" in invoke("agent", "pause", "db-agent").output
    assert "resume db-agent" in refusal(Refused, "agent", "run", "db-agent")
    shown = invoke("org", "show").output
    assert "일시 중지" in shown and "GUARDiA 운영센터" in shown
    assert invoke("agent", "resume", "db-agent").exit_code == 0
    assert invoke("agent", "run", "db-agent").exit_code == 0
    refusal(NotFound, "agent", "pause", "nobody")


@pytest.mark.slow
def test_the_published_schema_accepts_the_shipped_chart_and_refuses_a_bad_one() -> None:
    schema = json.loads(invoke("org", "schema").output)
    data = YAML(typ="safe").load(SHIPPED)
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    # For an editor, timestamps in YAML are strings.
    assert not list(check.iter_errors(json.loads(json.dumps(data, default=str))))
    data["agents"][0]["duty"] = "rule"
    assert list(check.iter_errors(data))
    assert "상급자" in schema["$defs"]["AgentEntry"]["properties"]["reports_to"]["description"]


def test_a_heartbeat_is_shown_from_its_reasons_to_its_outcome(env: BoardEnv) -> None:
    def beat() -> None:
        while (begun := beats.begin(env.board, "auditor")) is None:
            time.sleep(0.05)
        daily_report.verify_and_log(env.board, Actor.agent("auditor"), None)
        beats.end(env.board, begun, "intact", task_id=None, steps=1)

    with ThreadPoolExecutor(1) as worker:
        beating = worker.submit(beat)
        done = invoke("heartbeat", "auditor", "--wait", 120)
        beating.result()
    assert done.exit_code == 0, done.output
    reason = t("wake.reason.manual")
    end = t("cli.staff.ended", agent="auditor", outcome=t("wake.outcome.intact"))
    first, verified, last = (done.output.index(w) for w in (reason, "이상 없음", end))
    assert first < verified < last


@pytest.mark.slow
def test_a_heartbeat_without_a_worker_names_the_missing_command(env: BoardEnv) -> None:
    assert "guardia worker" in refusal(Unreachable, "heartbeat", "db-agent", "--wait", 1)


@pytest.mark.slow
def test_windows_line_breaks_are_kept(env: BoardEnv, tmp_path: Path) -> None:
    windows = SHIPPED.replace("\n", "\r\n").encode()
    file(tmp_path).write_bytes(windows)
    assert invoke("org", "apply").exit_code == 0
    assert invoke("hire", "net-agent", "--title", "네트워크 전문가").exit_code == 0
    assert b"\n" not in file(tmp_path).read_bytes().replace(b"\r\n", b"")
    assert invoke("fire", "net-agent", "--yes").exit_code == 0
    assert file(tmp_path).read_bytes() == windows


@pytest.mark.slow
def test_one_field_is_set_in_the_file_and_applied(env: BoardEnv, tmp_path: Path) -> None:
    done = invoke("agent", "set", "db-agent", "heartbeat.every", "3m")
    assert done.exit_code == 0, done.output
    text = file(tmp_path).read_text("utf-8")
    assert len(set(text.splitlines()) - set(SHIPPED.splitlines())) == 1
    assert organization_chart.running_text(env.board) == (2, text)
    assert invoke("agent", "set", "db-agent", "skills", "[DB, OS]").exit_code == 0
    refusal(NotFound, "agent", "set", "nobody", "title", "가")
    refusal(Misconfigured, "agent", "set", "db-agent", "reports_to", "nobody")
    refusal(Invalid, "agent", "set", "db-agent", "title.of", "가")
    assert organization_chart.running_text(env.board)[0] == 3


@pytest.mark.slow
def test_the_tree_marks_external_agents_and_the_history_names_authors(
    env: BoardEnv, tmp_path: Path
) -> None:
    outside = "{kind: process, command: [/opt/agent]}"
    assert invoke("agent", "set", "sec-agent", "adapter", outside).exit_code == 0
    organization_chart.apply_chart(env.board, f"{SHIPPED}# 다시\n", Actor.person("lead"))
    assert "정다은 팀장" in invoke("org", "history").output
    assert "외부 프로그램" not in invoke("org", "show").output
    organization_chart.rollback(env.board, 2, Actor.person("lead"))
    shown = invoke("org", "show").output
    assert "외부 프로그램" in shown and "보안, 네트워크, 계정" in shown
    assert max(terminal_width(line) for line in shown.splitlines()) <= 80


def terminal_width(line: str) -> int:
    """Return the width of a line in terminal columns."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)
