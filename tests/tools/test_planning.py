"""Complete actions from tool calls."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from guardia.board.core.plan import Action, Check, ToolCall
from guardia.errors import Invalid, ProgrammerError, Refused
from guardia.org.directory import Host, Service
from guardia.tools import catalog, planning

HTTP = Service(
    name="budget",
    kind="http",
    port=8080,
    control="/h/bin/budgetctl",
    health="/health",
    root="/h/srv/budget",
    logs="/h/srv/budget/logs",
)
DB = Service(name="budgetdb", kind="postgresql", port=5432)
HOST = Host(server_id="MOF-WAS-01", institution="MOF", kind="WAS", services=(HTTP, DB))

CHANGES = {
    "deploy.activate": {"service": "budget", "version": "3.1.1", "previous": "3.1.0"},
    "service.set_log_level": {"service": "budget", "level": "DEBUG", "previous": "INFO"},
}


def propose(tool: str, **args: Any) -> Action:
    return planning.propose(ToolCall(tool=tool, args=args), HOST)


def test_the_undo_of_the_undo_is_the_call() -> None:
    for name, args in CHANGES.items():
        action = propose(name, **args)
        assert action.undo
        assert planning.propose(action.undo, HOST).undo == action.call


def test_defaults_are_explicit() -> None:
    action = propose("logs.tail", service="budget", name="app.log")
    assert action.call.args == {"service": "budget", "name": "app.log", "lines": 100}


def test_an_unknown_tool_is_refused() -> None:
    with pytest.raises(Refused):
        propose("shell.run", text="rm -rf /")


@pytest.mark.parametrize(
    "args",
    [
        {},
        {"service": "budget", "more": 1},
        {"service": "bud get"},
        {"service": "../etc"},
        {"service": "budget\n"},
        {"service": 7},
        {"service": None},
    ],
)
def test_invalid_arguments_are_refused(args: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        propose("service.health", **args)


def test_a_refusal_does_not_repeat_the_value() -> None:
    with pytest.raises(Invalid) as caught:
        propose("service.health", service="password=hunter2 ")
    assert "hunter2" not in str(caught.value)


def test_a_missing_service_is_refused() -> None:
    with pytest.raises(Refused, match="payroll"):
        propose("service.health", service="payroll")


def test_a_changing_check_is_a_programmer_error(monkeypatch: pytest.MonkeyPatch) -> None:
    restart = Check(
        call=ToolCall(tool="service.restart", args={"service": "budget"}), expect="done"
    )
    bad = replace(catalog.find("service.health"), precheck=lambda _args: (restart,))
    monkeypatch.setattr(catalog, "CATALOG", {**catalog.CATALOG, bad.name: bad})
    with pytest.raises(ProgrammerError):
        propose("service.health", service="budget")
