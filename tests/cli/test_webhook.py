"""`guardia webhook`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from board_env import BoardEnv
from command_line import command_env, invoke, output, refusal

from guardia.errors import Invalid, NotFound

pytestmark = pytest.mark.slow
URL = "https://hooks.example/guardia?key=secret-word"


@pytest.fixture
def env(database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BoardEnv]:
    with command_env(database, tmp_path, monkeypatch, people=False) as env:
        yield env


def hooks() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(output("webhook", "list", "--json"))
    return found


def deliveries(number: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(output("webhook", "show", number, "--json"))
    return found


def test_a_webhook_from_its_creation_to_its_end(env: BoardEnv) -> None:
    secret = output("webhook", "add", URL, "--event", "issues", "--institution", "MOF").split()[-1]
    assert len(secret) >= 32
    (made,) = hooks()
    assert (made["events"], made["institution"], made["active"]) == (["issues"], "MOF", True)
    shown = output("webhook", "list") + json.dumps(made)
    assert "hooks.example" in shown and "secret-word" not in shown and secret not in shown
    number = made["number"]
    (first,) = deliveries(number)
    assert (first["event"], first["state"]) == ("ping", "PENDING")
    output("webhook", "ping", number)
    output("webhook", "redeliver", number, first["number"])
    assert [one["event"] for one in deliveries(number)] == ["ping"] * 3
    assert output("webhook", "show", number).count("ping") == 3
    output("webhook", "disable", number)
    assert not hooks()[0]["active"]
    output("webhook", "enable", number)
    assert hooks()[0]["active"]
    assert invoke("webhook", "remove", number, answer="n\n").exit_code != 0
    assert hooks()
    output("webhook", "remove", number, "--yes")
    assert hooks() == []


def test_wrong_input_is_refused(env: BoardEnv) -> None:
    refusal(Invalid, "webhook", "add", "ftp://hooks.example/x")
    refusal(Invalid, "webhook", "add", URL, "--event", "no-such-event")
    refusal(NotFound, "webhook", "show", 9)
    assert hooks() == []
