"""`guardia keys`: rotating every key keeps the audit log verifiable."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from board_env import seeded_env
from typer.testing import CliRunner

from guardia.board.audit.checkpoint import load_public_key
from guardia.board.audit.witness_files import WitnessFiles
from guardia.board.integrity import verification
from guardia.board.integrity.notary import Notary
from guardia.cli import app
from guardia.errors import Invalid
from guardia.org.credential_store import FileCredentialStore
from guardia.settings import Settings


def test_an_operator_rotates_every_key(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUARDIA_HOME", str(tmp_path))
    monkeypatch.setenv("GUARDIA_DSN", database.app)
    monkeypatch.setenv("COLUMNS", "200")
    store = FileCredentialStore(tmp_path / "secrets")
    store.put("server-key", "비밀 hunter2")

    def run_ok(*words: str) -> str:
        done = CliRunner().invoke(app, words, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    with seeded_env(database.app) as env:
        for which in ("record", "decisions", "store", "record"):
            run_ok("keys", "rotate", which)
        shown = run_ok("keys", "list")
        assert "hunter2" not in shown and "server-key" in shown
        with pytest.raises(Invalid):
            run_ok("keys", "rotate", "all")
        file, first, last = (tmp_path / name for name in ("export", "first.pub", "last.pub"))
        run_ok("audit", "export", str(file))
        first.write_text(run_ok("audit", "key"))
        last.write_text(run_ok("audit", "key", "--present"))
        assert load_public_key(first.read_text()) != load_public_key(last.read_text())
        for pub in (first, last):
            run_ok("audit", "verify", "--export", str(file), "--key", str(pub))
        board = replace(env.board, notary=Notary(WitnessFiles.of(Settings())))
        assert verification.verify_log(board, full=True).intact
    assert store.get("server-key") == "비밀 hunter2"
