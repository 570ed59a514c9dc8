"""Complete actions from tool calls."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jmespath
import pytest

from guardia.board.core.plan import Action, Check, Risk, ToolCall
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
WEB = HTTP.model_copy(update={"name": "web", "product": "nginx", "config": "/etc/nginx/nginx.conf"})
WAS = HTTP.model_copy(update={"name": "was", "product": "tomcat"})
JEUS = HTTP.model_copy(update={"name": "jeus", "product": "jeus"})
WLS = HTTP.model_copy(update={"name": "wls", "product": "weblogic"})
CRON = Service(name="cron", kind="system", unit="cron.service")
HOST = Host(
    server_id="MOF-WAS-01",
    institution="MOF",
    kind="WAS",
    services=(HTTP, DB, WEB, WAS, JEUS, WLS, CRON),
)

START = "2026-11-20T05:00:00.123456Z"
CHANGES = [
    ("database.terminate_session", {"service": "budgetdb", "pid": 7, "backend_start": START}),
    ("service.restart", {"service": "budget"}),
    ("service.set_log_level", {"service": "budget", "level": "DEBUG", "previous": "INFO"}),
    ("disk.archive", {"service": "budget", "name": "app.log", "id": "abc123def456"}),
    ("disk.restore", {"service": "budget", "name": "app.log", "id": "abc123def456"}),
    ("deploy.activate", {"service": "budget", "version": "3.1.1", "previous": "3.1.0"}),
    ("service.start", {"service": "cron"}),
    ("service.stop", {"service": "cron"}),
    ("service.restart_unit", {"service": "cron"}),
    ("service.reload", {"service": "cron"}),
    ("service.reset_failed", {"service": "cron"}),
    ("service.enable", {"service": "cron"}),
    ("service.disable", {"service": "cron"}),
    ("web.reload", {"service": "web"}),
    ("tomcat.restart", {"service": "was"}),
    ("jeus.start", {"service": "jeus", "instance": "server1"}),
    ("jeus.stop", {"service": "jeus", "instance": "server1"}),
    ("weblogic.start", {"service": "wls", "instance": "m1", "admin_url": "t3://10.0.0.1:7001"}),
    ("weblogic.stop", {"service": "wls", "instance": "m1", "admin_url": "t3://10.0.0.1:7001"}),
    ("config.set", {"service": "web", "file": "/etc/nginx/nginx.conf", "key": "a", "value": "b"}),
    ("config.replace", {"service": "web", "file": "/etc/nginx/a", "text": "b", "previous": "a"}),
]  # fmt: skip


@pytest.fixture(autouse=True)
def _enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enable the changes that follow a manual."""
    monkeypatch.setenv("GUARDIA_ENABLED_TOOLS", "*")


def propose(tool: str, **args: Any) -> Action:
    return planning.propose(ToolCall(tool=tool, args=args), HOST)


def test_every_change_is_tested_here() -> None:
    changes = {t.name for t in catalog.CATALOG.values() if t.risk is not Risk.READ}
    assert changes == {name for name, _ in CHANGES}


@pytest.mark.parametrize(("name", "args"), CHANGES)
class TestChange:
    def test_it_states_its_effect_and_server(self, name: str, args: dict[str, Any]) -> None:
        action = propose(name, **args)
        assert "MOF-WAS-01" in action.effect
        assert args["service"] in action.effect
        assert "{" not in action.effect

    def test_it_has_exactly_one_of_undo_and_reason(self, name: str, args: dict[str, Any]) -> None:
        action = propose(name, **args)
        assert (action.undo is None) != (action.irreversible is None)

    def test_its_undo_can_be_proposed(self, name: str, args: dict[str, Any]) -> None:
        action = propose(name, **args)
        if action.undo:
            assert planning.propose(action.undo, HOST).risk is action.risk
            assert action.undo_verify

    def test_its_checks_are_runnable_reads(self, name: str, args: dict[str, Any]) -> None:
        action = propose(name, **args)
        assert action.verify
        for check in (*action.precheck, *action.verify, *action.undo_verify):
            tool, _, _ = planning.prepare(check.call, HOST)
            assert tool.risk is Risk.READ
            jmespath.compile(check.expect)

    def test_proposing_is_deterministic(self, name: str, args: dict[str, Any]) -> None:
        action = propose(name, **args)
        assert planning.propose(action.call, HOST) == action
        assert Action.model_validate_json(action.model_dump_json()) == action


def test_the_undo_of_the_undo_is_the_call() -> None:
    for name in ("deploy.activate", "service.set_log_level"):
        action = propose(name, **dict(CHANGES)[name])
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
