"""Machines by name: which image each has, which of its services run, and its address and ports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

ACCOUNT = "ops"
"""The account of every machine for whoever administers it; without any right to become root."""

STANDARD_PORTS: Mapping[str, int] = MappingProxyType(
    {"ssh": 22, "http": 80, "https": 443, "tomcat": 8080, "postgresql": 5432, "mariadb": 3306}
)


@dataclass(frozen=True)
class Role:
    """A kind of machine. `units` are the services of its image that it runs."""

    name: str
    image: str
    units: tuple[str, ...]
    port_names: tuple[str, ...]


_ROLES = (
    Role("web", "systemd", ("nginx", "tomcat10"), ("ssh", "http", "https", "tomcat")),
    Role("db", "systemd", ("postgresql", "mariadb"), ("ssh", "postgresql", "mariadb")),
    Role("all", "systemd", ("nginx", "tomcat10", "postgresql", "mariadb"), tuple(STANDARD_PORTS)),
)
ROLES: Mapping[str, Role] = MappingProxyType({role.name: role for role in _ROLES})
"""The roles by name."""

OPTIONAL_UNITS = ("nginx", "tomcat10", "postgresql", "mariadb")
"""The services that a machine runs only if its role names them."""


@dataclass(frozen=True)
class MachineSpec:
    """One machine to start."""

    name: str
    role: Role
    address: str
    ports: Mapping[str, int]

    @property
    def site(self) -> str:
        """The name of its web site."""
        return f"{self.name}.agency.example"
