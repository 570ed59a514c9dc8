"""Changes that follow a vendor's manual are off until an operator enables them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guardia.board.core.plan import Action, ToolCall
from guardia.board.core.planner import ActionDraft
from guardia.errors import Refused
from guardia.org.directory import Host, Service
from guardia.tools import catalog, enabled, planning
from guardia.tools.catalog_planner import CatalogPlanner

SERVICE = Service(name="budget", kind="http", port=8080, control="/h/ctl", health="/h", root="/h")
HOST = Host(server_id="MOF-WAS-01", institution="MOF", kind="WAS", services=(SERVICE,))
CALL = ToolCall(tool="service.restart", args={"service": "budget"})


@pytest.fixture(autouse=True)
def by_manual(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a change and a read follow a manual, and enable nothing."""
    known = {
        name: replace(catalog.CATALOG[name], manual="Vendor Guide 12, chapter 3")
        for name in ("service.restart", "service.health")
    }
    monkeypatch.setattr(catalog, "CATALOG", dict(catalog.CATALOG) | known)
    monkeypatch.delenv("GUARDIA_ENABLED_TOOLS", raising=False)


def propose() -> Action:
    return planning.propose(CALL, HOST)


def test_it_is_refused_with_what_to_do() -> None:
    with pytest.raises(Refused, match=r"꺼져 있습니다.*GUARDIA_ENABLED_TOOLS"):
        propose()
    with pytest.raises(Refused, match="GUARDIA_ENABLED_TOOLS"):
        CatalogPlanner().build_action(
            ActionDraft("service.restart", {"service": "budget"}), HOST, "MAINTENANCE"
        )


@pytest.mark.parametrize("names", ["service.restart", "a.b, service.*", "*"])
def test_an_operator_enables_it(names: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDIA_ENABLED_TOOLS", names)
    assert "Vendor Guide 12, chapter 3" in propose().effect


@pytest.mark.parametrize("names", ["", " , ", "service.restar", "service.health", "restart"])
def test_other_names_enable_nothing(names: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDIA_ENABLED_TOOLS", names)
    with pytest.raises(Refused):
        propose()


def test_reads_and_tried_changes_are_on() -> None:
    assert enabled.is_enabled(catalog.find("service.health"))
    assert enabled.is_enabled(catalog.find("deploy.activate"))


def test_what_was_begun_can_be_undone_after_it_was_disabled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GUARDIA_ENABLED_TOOLS", "*")
    action = propose()
    monkeypatch.delenv("GUARDIA_ENABLED_TOOLS")
    assert planning.propose_again(action, HOST).runs_like(action)


def test_the_list_of_changes_says_that_it_is_off() -> None:
    titles = {option.tool: option.title for option in CatalogPlanner().options()}
    assert "꺼짐" in titles["service.restart"]
    assert "꺼짐" not in titles["deploy.activate"]
