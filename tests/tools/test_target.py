"""Services of a host and their locations in the CMDB."""

from __future__ import annotations

import pytest

from guardia.errors import Refused
from guardia.org.directory import Host, Service
from guardia.tools import target

BUDGET = Service(
    name="budget",
    kind="http",
    port=8080,
    control="/home/app/bin/budgetctl",
    health="/health",
    root="/home/app/srv/budget/",
    logs="/home/app/srv/budget/logs",
)
HOST = Host(server_id="MOF-WAS-01", institution="MOF", kind="WAS", services=(BUDGET,))


def test_a_known_service_is_found() -> None:
    assert target.service_on(HOST, "budget", ("http",)) is BUDGET


def test_an_unknown_service_is_refused_by_name() -> None:
    with pytest.raises(Refused, match=r"MOF-WAS-01.*payroll"):
        target.service_on(HOST, "payroll")


def test_a_service_of_another_kind_is_refused() -> None:
    with pytest.raises(Refused, match="budget"):
        target.service_on(HOST, "budget", ("postgresql",))


def test_its_locations() -> None:
    assert target.root(BUDGET) == "/home/app/srv/budget"
    assert target.logs(BUDGET) == "/home/app/srv/budget/logs"
    assert target.control(BUDGET) == "/home/app/bin/budgetctl"
    assert target.port(BUDGET) == 8080
    assert target.health(BUDGET) == "/health"


@pytest.mark.parametrize("path", [None, "", "relative", "-rf", "/a/../etc", "/a\nb", "/a\0"])
def test_a_path_is_absolute_and_without_parents(path: str | None) -> None:
    with pytest.raises(Refused, match="CMDB"):
        target.root(BUDGET.model_copy(update={"root": path}))


@pytest.mark.parametrize("path", [None, "", "health", "/a b", "/x\r\nHost: evil", "/\u00e9"])
def test_a_health_path_cannot_inject_into_the_request(path: str | None) -> None:
    with pytest.raises(Refused):
        target.health(BUDGET.model_copy(update={"health": path}))


@pytest.mark.parametrize("port", [None, 0, -1, 65536])
def test_a_port_is_valid(port: int | None) -> None:
    with pytest.raises(Refused):
        target.port(BUDGET.model_copy(update={"port": port}))
