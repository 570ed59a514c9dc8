"""`guardia audit` as an auditor uses it, over a database of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from audit_env import AuditEnv, open_audit_env
from command_line import command_env, invoke, refusal

from guardia.board.audit.witness_files import WitnessFiles
from guardia.board.integrity.notary import Notary
from guardia.errors import Invalid, Misconfigured, Missing
from guardia.settings import Settings


@pytest.fixture
def env(database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AuditEnv]:
    """Write an audit log of a few entries for the command to find."""
    copy = str(tmp_path / "second")
    with command_env(
        database, tmp_path / "home", monkeypatch, people=False, GUARDIA_CHECKPOINT_COPY=copy
    ) as env:
        found = open_audit_env(env, database.superuser, tmp_path)
        witness_files = WitnessFiles.of(Settings())
        board = replace(found.board, notary=Notary(witness_files))
        made = replace(found, board=board, witness_files=witness_files)
        made.write(5)
        yield made


@pytest.mark.slow
def test_export_and_verify_without_the_database(env: AuditEnv, tmp_path: Path) -> None:
    file, pub = tmp_path / "out.jsonl", tmp_path / "pub"
    done = invoke("audit", "export", file)
    assert done.exit_code == 0, done.output
    pub.write_text(invoke("audit", "key").stdout)
    assert invoke("audit", "verify", "--export", file, "--key", pub).exit_code == 0
    lines = file.read_text().splitlines(keepends=True)
    assert len(lines) == env.size() + 3
    file.write_text("".join(lines).replace("기록 2", "기록 9"))
    done = invoke("audit", "verify", "--export", file, "--key", pub)
    assert done.exit_code == 1
    assert "4번 항목에서 발견" in done.stdout
    assert list(tmp_path.glob(".out*")) == []


@pytest.mark.slow
def test_verify_looks_at_everything_and_names_the_bad_entry(env: AuditEnv) -> None:
    env.sign_checkpoint()
    for _ in range(2):
        found = json.loads(invoke("audit", "verify", "--json").stdout)
        assert (found["intact"], found["from"], found["sealed"]) == (True, 0, 6)
        assert found["looked_at"] == found["size"] == 6
    env.attack("update tb_audit_log set actor = 'x' where seq = 3")
    for options in ((), ("--full",)):
        done = invoke("audit", "verify", *options)
        assert done.exit_code == 1
        assert "3번 항목에서 발견" in done.stdout
        assert "이상 없음" not in done.stdout


@pytest.mark.slow
def test_a_partial_look_says_which_part_and_counts_nothing_else(env: AuditEnv) -> None:
    env.sign_checkpoint()
    invoke("audit", "verify")
    env.attack("update tb_audit_log set actor = 'x' where seq = 3")
    done = invoke("audit", "verify", "--new")
    assert done.exit_code == 0
    assert "6번 이후의 새 항목이 없습니다. 앞의 6건은 이번에 확인하지 않았습니다" in done.stdout
    assert "이상 없음: 0건" in done.stdout
    env.write(2)
    found = json.loads(invoke("audit", "verify", "--new", "--json").stdout)
    assert (found["from"], found["looked_at"], found["size"]) == (6, 2, 8)
    done = invoke("audit", "verify", "--since", "5")
    assert "6번~8번 항목" in done.stdout
    assert "이상 없음: 3건" in done.stdout
    assert invoke("audit", "verify", "--since", "2").exit_code == 1
    assert invoke("audit", "verify").exit_code == 1


@pytest.mark.slow
def test_a_copy_that_is_gone_is_a_finding_until_people_acknowledge_it(env: AuditEnv) -> None:
    env.sign_checkpoint()
    (env.witness_files.copies[1] / "main.jsonl").unlink()
    done = invoke("audit", "verify")
    assert done.exit_code == 1
    assert f"{env.witness_files.copies[1] / 'main.jsonl'}: 사본 파일이 없습니다" in done.stdout
    refusal(Missing, "audit", "acknowledge", "--reason", " \u200b")
    done = invoke("audit", "acknowledge", "--reason", "디스크 교체")
    assert done.exit_code == 0, done.output
    assert invoke("audit", "verify").exit_code == 0
    entry = next(link for link in env.links() if link.kind == "witness_lost")
    assert (entry.actor, entry.detail["reason"]) == ("operator:cli", "디스크 교체")
    refusal(Invalid, "audit", "acknowledge", "--reason", "다시")


@pytest.mark.slow
def test_a_damaged_state_file_is_named_with_what_to_do(env: AuditEnv) -> None:
    env.sign_checkpoint()
    invoke("audit", "verify")
    env.witness_files.verifier_state.write_bytes(b"\xff\xfe{")
    done = refusal(Misconfigured, "audit", "verify")
    assert str(env.witness_files.verifier_state) in str(done)
    assert invoke("audit", "acknowledge", "--reason", "파일 손상").exit_code == 0
    assert invoke("audit", "verify").exit_code == 0


@pytest.mark.parametrize(
    "words", [("verify", "--export", "x"), ("verify", "--export", "x", "--key", "y"), ("key",)]
)
@pytest.mark.slow
def test_missing_arguments_or_files_are_reported(env: AuditEnv, words: tuple[str, ...]) -> None:
    refusal(Invalid, "audit", *words)


@pytest.mark.slow
def test_an_export_into_a_missing_folder_is_refused(env: AuditEnv, tmp_path: Path) -> None:
    refusal(Invalid, "audit", "export", tmp_path / "no" / "where")
