"""`guardia tools`: the list without a database, a dry run of any tool, a real run of a read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from board_env import BoardEnv
from command_line import command_env, output, refusal
from openssh_server import OpenSSH

from guardia.board.audit import log
from guardia.errors import Invalid, Refused
from guardia.org import registry
from guardia.org.credential_store import FileCredentialStore
from guardia.org.directory import Directory
from guardia.settings import Settings
from guardia.tools import catalog

SERVER = "MOF-DB-01"


@pytest.fixture
def env(database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BoardEnv]:
    """A board where the command finds it."""
    with command_env(database, tmp_path / "home", monkeypatch, COLUMNS="160") as found:
        yield found


class TestWithoutADatabase:
    def test_the_list_as_json(self) -> None:
        found = {one["name"]: one for one in json.loads(output("tools", "list", "--json"))}
        assert set(found) == set(catalog.CATALOG)
        one = found["database.terminate_session"]
        assert (one["family"], one["risk"], one["undo"], one["off"]) == (
            "database", "CHANGE", False, False,
        )  # fmt: skip
        assert one["kinds"] == ["postgresql"] and "fleet" in one["tried_on"] and one["title"]
        assert found["host.load"]["risk"] == "READ"
        assert found["tibero.kill_session"]["off"] is True

    def test_one_family(self) -> None:
        found = json.loads(output("tools", "list", "--family", "mysql", "--json"))
        assert {one["family"] for one in found} == {"mysql"}

    @pytest.mark.slow
    def test_everything_about_one(self) -> None:
        shown = output("tools", "show", "certificate.renew")
        for part in ("sha256", "openssl", "업무 영향", "가능"):
            assert part in shown

    def test_an_unknown_tool(self) -> None:
        assert "등록되지 않은" in refusal(Refused, "tools", "show", "shell.run")


class TestDryRun:
    def test_a_change_with_its_checks(self, env: BoardEnv) -> None:
        words = ("--arg", "service=budgetdb", "--arg", "namespace=public", "--arg", "table=t")
        shown = output(
            "tools", "run", "database.vacuum", "--server", SERVER, *words, "--dry-run", "--json"
        )
        found = json.loads(shown)
        assert 'vacuum (analyze) "public"."t"' in found["command"]
        assert found["precheck"][0]["call"]["tool"] == "database.table"
        assert found["irreversible"] and found["undo"] is None
        assert found["rights"] == []

    def test_nothing_is_sent_or_recorded(self, env: BoardEnv) -> None:
        before = kinds(env)
        output("tools", "run", "host.load", "--server", SERVER, "--dry-run")
        assert kinds(env) == before

    @pytest.mark.parametrize("word", ["service", "colour=red", "pid=x"])
    @pytest.mark.slow
    def test_wrong_arguments(self, env: BoardEnv, word: str) -> None:
        words = ("run", "database.session", "--server", SERVER, "--arg", word, "--dry-run")
        assert refusal(Invalid, "tools", *words)


class TestRun:
    def test_a_change_is_not_run(self, env: BoardEnv) -> None:
        words = ("run", "database.vacuum", "--server", SERVER)
        assert "변경 도구" in refusal(Refused, "tools", *words)

    @pytest.mark.slow
    def test_a_read_is_run_and_recorded(self, env: BoardEnv, tmp_path: Path) -> None:
        server = OpenSSH(tmp_path / "sshd")
        try:
            register(env, server)
            found = json.loads(output("tools", "run", "host.load", "--server", "TEST-01"))
        finally:
            server.stop()
        assert found["cores"] >= 1
        assert kinds(env)[-2:] == ["inspection", "inspected"]


def kinds(env: BoardEnv) -> list[str]:
    with env.board.database.reading() as session:
        return [entry.kind for entry in log.entries(session)]


def register(env: BoardEnv, server: OpenSSH) -> None:
    """Put a real server into the CMDB, and its key where the command looks for keys."""
    host = server.host().model_copy(update={"institution": "MOF"})
    with env.board.database.transaction() as session:
        registry.enrol(session, Directory(servers=(host,)))
    FileCredentialStore(Settings().secrets).put("user", server.get("user"))
