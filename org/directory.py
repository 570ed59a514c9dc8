"""The names of the field, as plain values: whom and what a Korean text can mean.

Nothing here touches the database; ``org.registry`` fills these from the tables.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Service(_Value):
    """A service that runs on a host, as the CMDB knows it."""

    name: str
    """Unique on its host; ``[a-z0-9-]+``."""
    kind: str
    """``postgresql``, ``http``, ``tls``, ``authlog``: which tools fit."""
    port: int | None = None
    control: str | None = None
    """Absolute path of the service script (``start|stop|restart|status``)."""
    health: str | None = None
    """Path of the HTTP health check, e.g. ``/health``."""
    root: str | None = None
    """Absolute folder of the service: ``releases/``, ``current``, ``conf/``."""
    logs: str | None = None
    """Absolute folder of its logs."""
    database: str | None = None
    """Database name, for kind ``postgresql``."""


class Host(_Value):
    """A server with what it takes to reach it. Secrets are only named, never held."""

    server_id: str
    institution: str
    kind: str
    """``WAS``, ``DB``, ``WEB``, ``SECURITY``."""
    aliases: tuple[str, ...] = ()
    address: str = ""
    port: int = 22
    account: str = ""
    host_key: str = ""
    """The pinned public key, as in known_hosts: ``ssh-ed25519 AAAA…``."""
    credential: str = ""
    """Name of the private key in the secret store."""
    services: tuple[Service, ...] = ()

    def service(self, name: str) -> Service:
        """The service of that name; ``KeyError`` where the CMDB knows none."""
        return next((s for s in self.services if s.name == name), None) or _raise_missing(name)

    def service_of_kind(self, kind: str) -> Service | None:
        """The first service of that kind, or ``None``."""
        return next((s for s in self.services if s.kind == kind), None)


def _raise_missing(name: str) -> Service:
    raise KeyError(name)


class InstitutionInfo(_Value):
    """An institution and how people call it."""

    id: str
    name: str
    aliases: tuple[str, ...] = ()


class PersonInfo(_Value):
    """A person, and what the organization says of them."""

    id: str
    name: str
    title: str
    role: str
    """``customer engineer team_lead pm security_officer admin auditor``."""
    skills: tuple[str, ...] = ()
    institution: str | None = None
    only: frozenset[str] | None = None
    """The rights to which an access token limits its holder; ``None``: all of the role's."""
    identity: str | None = None
    """The human behind the account, such as a staff number; accounts that share it are one."""


class AgentInfo(_Value):
    """An agent and how people call it."""

    id: str
    title: str
    aliases: tuple[str, ...] = ()


class Directory(_Value):
    """All names at one moment."""

    institutions: tuple[InstitutionInfo, ...] = ()
    servers: tuple[Host, ...] = ()
    people: tuple[PersonInfo, ...] = ()
    agents: tuple[AgentInfo, ...] = ()
