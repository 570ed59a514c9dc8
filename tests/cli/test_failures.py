"""What an operator can mend is said in one sentence, with an exit code and no traceback."""

from __future__ import annotations

import re
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from guardia import cli
from guardia.cli import failures
from guardia.db.private_files import open_private

Run = Callable[..., tuple[object, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run a command as a person does; returns its exit code and what it says."""
    monkeypatch.setenv("GUARDIA_HOME", str(tmp_path))

    def run_main(*words: str, **variables: str) -> tuple[object, str]:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("sys.argv", ["guardia", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, capsys.readouterr().err

    return run_main


def test_an_unreachable_database(run: Run) -> None:
    code, text = run("runs", GUARDIA_DSN="postgresql://x:secret@127.0.0.1:1/guardia")
    assert code == 1 and "데이터베이스에 연결할 수 없습니다" in text
    assert "secret" not in text


@pytest.mark.parametrize("dsn", ["nonsense", "postgresql://x@[::1/g", "http://x"])
def test_an_address_that_is_none(run: Run, dsn: str) -> None:
    code, text = run("runs", GUARDIA_DSN=dsn)
    assert code == 1 and "데이터베이스" in text


def test_a_wrong_password(run: Run, database: Any, cluster: Any) -> None:
    wrong = database.app.replace(cluster.password("guardia_app"), "wrong")
    code, text = run("runs", GUARDIA_DSN=wrong)
    assert code == 1 and "비밀번호" in text


@pytest.mark.slow
def test_a_database_that_does_not_exist(run: Run, database: Any) -> None:
    code, text = run("runs", GUARDIA_DSN=database.app.replace(f"/{database.name}?", "/none?"))
    assert code == 1 and "데이터베이스 이름" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [("runs",), ("show", "1"), ("audit", "verify"), ("db", "migrate"), ("org", "show")]
)
def test_a_database_of_a_newer_program(run: Run, database: Any, words: tuple[str, ...]) -> None:
    def versions() -> list[tuple[Any, ...]]:
        with psycopg.connect(database.owner) as connection:
            return connection.execute("select version_num from alembic_version").fetchall()

    with psycopg.connect(database.owner) as connection:
        connection.execute("update alembic_version set version_num = '9999'")
    names = {"GUARDIA_DSN": database.app, "GUARDIA_OWNER_DSN": database.owner}
    code, text = run(*words, **names)
    assert code == 1 and "9999" in text and "업그레이드" in text
    assert versions() == [("9999",)]


@pytest.mark.slow
def test_a_port_in_use(run: Run, database: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, text = run("serve", GUARDIA_DSN=database.app, GUARDIA_PORT=port)
    assert code == 1 and port in text and "GUARDIA_PORT" in text


@pytest.mark.parametrize("port", ["abc", "99999", "-1"])
@pytest.mark.slow
def test_a_setting_that_is_not_valid(run: Run, port: str) -> None:
    code, text = run("runs", GUARDIA_PORT=port)
    assert code == 1 and "GUARDIA_PORT" in text


def test_a_home_that_cannot_be_used(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    code, text = run("runs", GUARDIA_HOME=str(tmp_path / "file" / "home"))
    assert code == 1 and str(tmp_path / "file") in text


def test_foreign_text_is_shown_as_it_is(run: Run, database: Any) -> None:
    code, text = run("show", "[a-z] :warning: [/]", GUARDIA_DSN=database.app)
    assert code == 2 and "[a-z] :warning: [/]" in text


def test_a_bug_keeps_its_traceback() -> None:
    assert failures.describe(ZeroDivisionError()) is None
    assert failures.describe(BaseExceptionGroup("x", [OSError(2, "no", "f"), KeyError()])) is None


def test_a_log_of_an_earlier_version_becomes_private(tmp_path: Path) -> None:
    log = tmp_path / "board.log"
    log.write_text("old\n")
    log.chmod(0o644)
    with open_private(log) as file:
        file.write(b"new\n")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert log.read_text() == "old\nnew\n"


def test_only_one_place_makes_a_console() -> None:
    folder = Path(cli.__file__).parent
    made = {f.name for f in folder.glob("*.py") if re.search(r"\bConsole\(", f.read_text())}
    assert made == {"console.py"}
