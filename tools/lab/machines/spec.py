"""Machines by role: which image each has, which of its parts run, and its address and ports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

ACCOUNT = "ops"
"""The account of every machine for its administrator; without any right to become root."""
PERSON = "kim"
"""The account of a user on every machine, who signs in with a password."""

HEALTH = "/minwon/health"
"""The path of the application's health check, on the WAS of every make."""


@dataclass(frozen=True)
class Part:
    """A service that a machine may have, as its make calls and controls it."""

    unit: str
    control: str
    """The command that takes `start`, `stop`, `restart` or `reload` after it."""
    process: str = ""
    """A pattern of `pgrep -f` that only its main process fits, not the shell that runs pgrep."""


@dataclass(frozen=True)
class Make:
    """What machines of one image have in common."""

    image: str
    ports: Mapping[str, int]
    parts: Mapping[str, Part]
    """Services that a machine runs only if its role names them: web, was, postgresql, mariadb."""
    always: frozenset[str]
    """What every machine of this make has in addition."""
    tls: str
    """The folder of the web server's certificate `site.crt` and key `site.key`."""
    site: str
    """The web server's configuration of the site."""
    site_test: str
    """The command that checks the web server's configuration."""


SYSTEMD = Make(
    image="systemd",
    ports={"ssh": 22, "http": 80, "https": 443, "was": 8080, "postgresql": 5432, "mariadb": 3306},
    parts={
        "web": Part("nginx", "systemctl --no-ask-password {} nginx"),
        "was": Part("tomcat10", "systemctl --no-ask-password {} tomcat10", "[c]atalina.startup"),
        "postgresql": Part("postgresql", "systemctl --no-ask-password {} postgresql"),
        "mariadb": Part("mariadb", "systemctl --no-ask-password {} mariadb"),
    },
    always=frozenset({"accounts", "agent", "cron", "sshd"}),
    tls="/etc/nginx/tls",
    site="/etc/nginx/sites-available/default",
    site_test="nginx -t",
)
SYSVINIT = Make(
    image="sysvinit",
    ports={"ssh": 22, "http": 80, "https": 443, "was": 18080, "postgresql": 15432},
    parts={
        "postgresql": Part("dbmsd", "/etc/init.d/dbmsd {}"),
        "was": Part("wasd", "/app/was/bin/wasctl {}", "[D]was.name=minwon"),
        "web": Part("webd", "/app/web/bin/webctl {}"),
    },
    always=frozenset({"accounts", "sshd"}),
    tls="/app/web/conf",
    site="/app/web/conf/httpd.conf",
    site_test="/app/web/bin/webctl test",
)


@dataclass(frozen=True)
class Role:
    """A kind of machine: which parts of its make it runs."""

    name: str
    make: Make
    parts: tuple[str, ...]

    @property
    def ports(self) -> tuple[str, ...]:
        """The names of the ports on which it listens."""
        names = {"ssh", *self.parts, *(("http", "https") if "web" in self.parts else ())}
        return tuple(name for name in self.make.ports if name in names)

    def has(self, part: str) -> bool:
        """Return whether machines of this role have a part."""
        return part in self.parts or part in self.make.always


_ROLES = (
    Role("web", SYSTEMD, ("web", "was")),
    Role("db", SYSTEMD, ("postgresql", "mariadb")),
    Role("old", SYSVINIT, tuple(SYSVINIT.parts)),
    Role("all", SYSTEMD, tuple(SYSTEMD.parts)),
)
ROLES: Mapping[str, Role] = MappingProxyType({role.name: role for role in _ROLES})
"""The roles by name. A fleet of N machines takes them in turn, except the last."""


def default_roles(count: int) -> tuple[str, ...]:
    """Return the roles of a fleet of so many machines."""
    names = list(ROLES)[:-1]
    return tuple(names[number % len(names)] for number in range(count))


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

    def control(self, part: str, verb: str) -> str:
        """Return the command that starts or stops a part."""
        return self.role.make.parts[part].control.format(verb)
