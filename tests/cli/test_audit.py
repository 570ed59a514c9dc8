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
from guardia.errors import Invalid
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


def test_verify_continues_from_the_last_run_and_names_the_bad_entry(env: AuditEnv) -> None:
    env.sign_checkpoint()
    first = json.loads(invoke("audit", "verify", "--json").stdout)
    assert (first["intact"], first["from"], first["sealed"]) == (True, 0, 6)
    assert json.loads(invoke("audit", "verify", "--json").stdout)["from"] == 6
    assert json.loads(invoke("audit", "verify", "--since", "2", "--json").stdout)["from"] == 2
    env.attack("update tb_audit_log set actor = 'x' where seq = 3")
    assert invoke("audit", "verify").exit_code == 0  # already verified entries are not walked again
    done = invoke("audit", "verify", "--full")
    assert done.exit_code == 1
    assert "3번 항목에서 발견" in done.stdout


def test_a_missing_copy_is_reported(env: AuditEnv) -> None:
    env.sign_checkpoint()
    (env.witness_files.copies[1] / "main.jsonl").unlink()
    done = invoke("audit", "verify")
    assert done.exit_code == 0
    assert str(env.witness_files.copies[1]) in done.stdout


@pytest.mark.parametrize(
    "words", [("verify", "--export", "x"), ("verify", "--export", "x", "--key", "y"), ("key",)]
)
def test_missing_arguments_or_files_are_reported(env: AuditEnv, words: tuple[str, ...]) -> None:
    refusal(Invalid, "audit", *words)


def test_an_export_into_a_missing_folder_is_refused(env: AuditEnv, tmp_path: Path) -> None:
    refusal(Invalid, "audit", "export", tmp_path / "no" / "where")
