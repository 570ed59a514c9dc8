"""What all commands have in common: groups in the help, `--json`, a question before an end."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from board_env import BoardEnv
from command_line import command_env, invoke, output
from sqlalchemy import select

from guardia.cli import app, confirmation, help_groups
from guardia.cli.command_permissions import commands
from guardia.cli.confirmation import needs_question
from guardia.cli.json_output import column_name, returns_data
from guardia.org.model import Person


@pytest.fixture
def env(database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BoardEnv]:
    with command_env(database, tmp_path, monkeypatch) as found:
        yield found


def parameters(command: Any) -> set[str]:
    return set(inspect.signature(command.callback).parameters)


def test_every_command_has_one_group_in_the_help() -> None:
    known = [info.name for info in (*app.registered_commands, *app.registered_groups)]
    grouped = [name for names in help_groups.GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(str(name) for name in known)


@pytest.mark.parametrize("words", [(), ("queue",), ("queue", "list"), ("show",)])
@pytest.mark.slow
def test_the_help_is_korean(words: tuple[str, ...]) -> None:
    text = invoke(*words, "--help").output
    assert "옵션" in text and "도움말 표시" in text
    for english in ("Options", "Commands", "Arguments", "Show this", "[required]", "[default"):
        assert english not in text


def test_all_commands_that_return_data_print_json() -> None:
    missing = [
        name for name, command in commands(app)
        if returns_data(name) and "as_json" not in parameters(command)
    ]  # fmt: skip
    assert missing == []
    assert {"person list", "runs", "list", "show", "org history", "rule show"} <= {
        name for name, _ in commands(app) if returns_data(name)
    }


@pytest.mark.slow
def test_tables_and_lines_are_json(env: BoardEnv) -> None:
    env.create_issue()
    for words in (
        ("person", "list"), ("runs",), ("rule", "list"), ("artifact", "list"), ("keys", "list"),
        ("maintenance", "list"), ("duty", "now"), ("org", "history"), ("cmdb", "history"),
        ("team", "list"), ("token", "list", "--as", "lead"), ("standing", "list"),
        ("rollout", "list"), ("note", "list", "db-agent", "--as", "lead"), ("queue", "list"),
        ("institution", "list"), ("server", "list"), ("list",), ("show", "SR-1"),
    ):  # fmt: skip
        found = json.loads(output(*words, "--json"))
        if isinstance(found, dict) and "rows" in found:
            assert all(name.isascii() for row in found["rows"] for name in row), words
    people = json.loads(output("person", "list", "--json"))
    assert {row["id"] for row in people} >= {"lead", "eng", "cus"}
    assert column_name("없는 제목") == "없는 제목"


def test_every_end_has_a_question() -> None:
    without = [
        name for name, command in commands(app)
        if needs_question(name) and "yes" not in parameters(command)
    ]  # fmt: skip
    assert without == []


@pytest.mark.slow
def test_an_end_is_asked_at_a_terminal_and_not_in_a_script(
    env: BoardEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_active(person: str) -> bool:
        with env.board.database.reading() as session:
            return bool(session.scalar(select(Person.active).where(Person.person_id == person)))

    monkeypatch.setattr(confirmation, "is_interactive", lambda: True)
    asked = invoke("person", "deactivate", "eng", answer="n\n")
    assert "되돌릴 수 없습니다" in asked.output
    assert is_active("eng")
    output("person", "deactivate", "eng", "--yes")
    assert not is_active("eng")
    monkeypatch.setattr(confirmation, "is_interactive", lambda: False)
    output("person", "deactivate", "cus")
    assert not is_active("cus")
