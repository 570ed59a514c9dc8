from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import command_env, output, refusal

from guardia.board.audit.checkpoint import load_public_key
from guardia.board.audit.witness_files import WitnessFiles
from guardia.board.integrity import verification
from guardia.board.integrity.notary import Notary
from guardia.errors import Invalid
from guardia.org.credential_store import FileCredentialStore
from guardia.settings import Settings


@pytest.mark.slow
def test_an_operator_replaces_every_key(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FileCredentialStore(tmp_path / "secrets")
    store.put("server-key", "비밀 hunter2")

    with command_env(database, tmp_path, monkeypatch, people=False, COLUMNS="200") as env:
        for which in ("record", "decisions", "store", "record"):
            output("keys", "rotate", which)
        shown = output("keys", "list")
        assert "hunter2" not in shown and "server-key" in shown
        refusal(Invalid, "keys", "rotate", "all")
        file, first, last = (tmp_path / name for name in ("export", "first.pub", "last.pub"))
        output("audit", "export", str(file))
        first.write_text(output("audit", "key"))
        last.write_text(output("audit", "key", "--present"))
        assert load_public_key(first.read_text()) != load_public_key(last.read_text())
        for pub in (first, last):
            output("audit", "verify", "--export", str(file), "--key", str(pub))
        board = replace(env.board, notary=Notary(WitnessFiles.of(Settings())))
        assert verification.verify_log(board, full=True).intact
    assert store.get("server-key") == "비밀 hunter2"
