"""`guardia rule`: add, edit, decide, try, and as code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from board_env import BoardEnv
from command_line import command_env, invoke, output, refusal

from guardia.board.execution import rule_check
from guardia.board.site_rules import as_code, view
from guardia.errors import Invalid

FREEZE = (
    "rule", "add", "settlement", "--as", "lead", "--kind", "freeze", "--sentence", "결산 기간",
    "--reason", "회계과 요청", "--set", "actions=*.restart", "--set", "institution=MOF",
)  # fmt: skip


@pytest.fixture
def env(database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BoardEnv]:
    with command_env(database, tmp_path, monkeypatch) as found:
        yield found


@pytest.mark.slow
def test_a_rule_is_added_changed_and_tried(env: BoardEnv) -> None:
    assert "적용 중" in output(*FREEZE, "--set", "periods=매주 월,화,수,목,금,토,일 00:00~00:00")
    # All week without an end: there is no time at which it permits.
    tried = invoke("rule", "test", "MOF-WAS-01", "service.restart", "--set", "service=portal")
    assert tried.exit_code == 1 and "settlement" in tried.output
    other = invoke("rule", "test", "MOF-WAS-01", "service.set_log_level")
    assert other.exit_code == 0
    change = ("rule", "edit", "settlement", "--as", "lead", "--reason", "축소")
    assert "승인 대기" in output(*change, "--set", "periods=매주 월 00:00~06:00")
    refusal_text = invoke("rule", "approve", "settlement", "--as", "lead", "--version", "2")
    assert refusal_text.exit_code == 1
    approve = ("rule", "approve", "settlement", "--as", "admin", "--version", "2")
    assert "적용 중" in output(*approve)
    at_six = ("rule", "test", "MOF-WAS-01", "service.restart", "--at", "2030-01-07 06:00")
    assert "허용됩니다" in output(*at_six)
    before = invoke(*at_six[:-1], "2030-01-07 05:00")
    assert before.exit_code == 1 and "2030-01-07 06:00 이후 허용" in before.output
    assert "삭제 제안" in output("rule", "list") or "승인 대기" in output(
        "rule", "remove", "settlement", "--as", "lead", "--reason", "폐지"
    )
    assert "제1판" in output("rule", "show", "settlement")


@pytest.mark.slow
def test_rules_are_code(env: BoardEnv, tmp_path: Path) -> None:
    output(*FREEZE, "--set", "periods=매년 12-25~01-05", "--set", "periods=매월 말 3일")
    exported = output("rule", "export")
    file = tmp_path / "rules.yaml"
    more = """
- name: audit-data
  scope: {institution: MOF}
  terms: {kind: never, paths: [/data/audit]}
  sentence: 감사 자료는 변경하지 않습니다.
- name: backup-first
  terms:
    kind: first
    read: database.locks
    args: {service: budgetdb}
    expect: "waiting == `0`"
    within_hours: 6
  sentence: 잠금을 먼저 확인합니다.
"""
    file.write_text(exported + more, "utf-8")
    words = ("rule", "import", file, "--as", "lead", "--reason", "정기 점검")
    assert "등록 audit-data" in output(*words, "--dry-run")
    assert len(view.rules_in_force(env.board)) == 1
    output(*words)
    assert {one.name for one in view.rules_in_force(env.board)} == {
        "settlement",
        "audit-data",
        "backup-first",
    }
    assert "바뀔 내용이 없습니다" in output(*words)
    # What is exported means the same when it is read again.
    again = as_code.parse_rules(output("rule", "export"))
    assert [(r.name, r.hash) for r in again] == [
        (one.name, one.rule.hash) for one in view.rules_in_force(env.board) if one.rule
    ]
    file.write_text("rules: []\n", "utf-8")
    assert "승인 대기" in output(*words, "--prune")
    assert len(view.rules_in_force(env.board)) == 3


def test_paths_are_tried_as_the_command_names_them(env: BoardEnv) -> None:
    from rules_env import add

    add(env.board, "audit-data", {"kind": "never", "paths": ["/srv/logs/audit.log"]})
    now = env.board.clock()
    args = {"service": "budgetdb", "name": "audit.log", "id": "abcdef"}
    found = rule_check.try_action(env.board, "MOF-DB-01", "disk.archive", args, now)
    # The server has no such folder in the CMDB: what cannot be known is forbidden.
    assert found.start is None


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("periods", "언젠가"),
        ("periods", "매년 02-30~03-01"),
        ("nosuch", "1"),
    ],
)
@pytest.mark.slow
def test_a_wrong_rule_is_refused_with_what_to_do(env: BoardEnv, field: str, text: str) -> None:
    refusal(Invalid, *FREEZE, "--set", f"{field}={text}")


@pytest.mark.slow
def test_a_file_with_a_fault_changes_nothing(env: BoardEnv, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    for text in ("rules: 1", "rules: [{name: a}]", "rules: [1]", "- x", ""):
        file.write_text(text, "utf-8")
        result = invoke("rule", "import", file, "--as", "lead", "--reason", "점검")
        assert result.exit_code == 1 and "Traceback" not in result.output
    assert view.rules_in_force(env.board) == ()
