"""The organization's names as plain values: whom and what a Korean text can refer to.

Nothing here uses the database; `org.registry` fills these from the tables.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from guardia.text import CleanStr, Name


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Service(_Value):
    """A service on a host, as registered in the CMDB."""

    name: str
    """Unique on its host; `[a-z0-9-]+`."""
    kind: str
    """`postgresql`, `http`, `tls`, `authlog`: decides which tools apply."""
    port: int | None = None
    control: str | None = None
    """Absolute path of the service script (`start|stop|restart|status`)."""
    health: str | None = None
    """Path of the HTTP health check, e.g. `/health`."""
    root: str | None = None
    """Absolute folder of the service: `releases/`, `current`, `conf/`."""
    logs: str | None = None
    """Absolute folder of its logs."""
    database: str | None = None
    """Database name, for kind `postgresql`."""
    tls_names: tuple[str, ...] = ()
    """Host names of the sites on this port, for kind `tls`."""
    start_seconds: int = 120
    """How long the service may take until its health check passes after a start."""


class Host(_Value):
    """A server and how to reach it. Secrets are only named, never included."""

    server_id: str
    institution: str
    kind: str
    """`WAS`, `DB`, `WEB`, `SECURITY`."""
    aliases: tuple[str, ...] = ()
    address: str = ""
    port: int = 22
    account: str = ""
    host_key: str = ""
    """The pinned public key, as in known_hosts: `ssh-ed25519 AAAA…`."""
    credential: str = ""
    """Name of the private key in the credential store."""
    services: tuple[Service, ...] = ()

    def service(self, name: str) -> Service:
        """Return the service of that name. Raises `KeyError` if the CMDB has none."""
        return next((s for s in self.services if s.name == name), None) or _raise_missing(name)

    def service_of_kind(self, kind: str) -> Service | None:
        """Return the first service of that kind, or `None`."""
        return next((s for s in self.services if s.kind == kind), None)


def _raise_missing(name: str) -> Service:
    raise KeyError(name)


class InstitutionInfo(_Value):
    """An institution and the names people use for it."""

    id: str
    name: str
    aliases: tuple[str, ...] = ()


class PersonInfo(_Value):
    """A person as registered in the organization."""

    id: Name
    name: Name
    title: Name
    role: str
    """`customer engineer team_lead pm security_officer admin auditor`."""
    skills: tuple[CleanStr, ...] = ()
    institution: CleanStr | None = None
    allowed_actions: frozenset[str] | None = None
    """The only actions that an access token permits; `None`: all actions of the role."""
    identity: Name | None = None
    """The human behind the account, such as a staff number; accounts that share it belong to one
    human."""


class AgentInfo(_Value):
    """An agent and the names people use for it."""

    id: str
    title: str
    aliases: tuple[str, ...] = ()


class Directory(_Value):
    """All names at one moment."""

    institutions: tuple[InstitutionInfo, ...] = ()
    servers: tuple[Host, ...] = ()
    people: tuple[PersonInfo, ...] = ()
    agents: tuple[AgentInfo, ...] = ()
