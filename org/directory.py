"""The organization's names as plain values: whom and what a Korean text can refer to.

Nothing here uses the database; `org.registry` fills these from the tables.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from guardia.text import CleanStr, Name


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Service(_Value):
    """A service on a host, as registered in the CMDB."""

    name: str
    """Unique on its host; `[a-z0-9-]+`."""
    kind: str
    """Decides which tools apply: `postgresql`, `mysql`, `oracle`, `tibero`, `cubrid`, `http`,
    `tls`, `authlog`, `system`; `account` (an account, in `login`), `timer` (in `unit`), `backup`
    (a folder, in `root`), `files` (a folder that may be cleaned, in `logs`)."""
    product: str = ""
    """The software: `nginx`, `apache`, `tomcat`, `jeus`, `weblogic`, `postgresql`, ..."""
    unit: str | None = None
    """The systemd unit, such as `nginx.service`."""
    address: str | None = None
    """The address at which it listens; `None`: found on the server."""
    port: int | None = None
    control: str | None = None
    """Absolute path of the service script (`start|stop|restart|status`)."""
    health: str | None = None
    """Path of the HTTP health check, e.g. `/health`."""
    root: str | None = None
    """Absolute folder of the service: `releases/`, `current`, `conf/`."""
    config: str | None = None
    """Absolute path of its main configuration file or folder."""
    logs: str | None = None
    """Absolute folder of its logs."""
    log_files: tuple[str, ...] = ()
    """Absolute paths of log files outside of `logs`."""
    journal: bool = False
    """Whether its unit logs to the journal."""
    encoding: str = "utf-8"
    """Encoding of its logs, such as `cp949`."""
    layout: Literal["releases", "webapps", "static", "package"] | None = None
    """How a version is installed: releases with a link, a WAR, a static site, a package file."""
    database: str | None = None
    """Database name, for databases."""
    login: str | None = None
    """The role or account of the database that tools use, never its administrator; the account
    itself for kind `account`."""
    credential: str | None = None
    """Name of that role's password in the credential store."""
    tls_names: tuple[str, ...] = ()
    """Host names of the sites on this port, for kind `tls`."""
    certificate: str | None = None
    """Absolute path of the file with the certificate chain, for kind `tls`."""
    certificate_key: str | None = None
    """Absolute path of its private key."""
    drain: str | None = None
    """Absolute path of the script that takes the service out of its load balancer and back
    (`drain|restore|status`; `status` prints `in` or `out`), or its place in an nginx of the same
    host: `upstream:SERVICE:FILE:UPSTREAM:ADDRESS`, as in
    `upstream:web:/etc/nginx/conf.d/minwon.conf:minwon:127.0.0.1:8080`. On other servers
    `upstream:SERVER/SERVICE:FILE:UPSTREAM:ADDRESS`; several places are separated by spaces."""
    balancer_files: tuple[str, ...] = ()
    """Absolute paths of the files of an nginx in which it balances services of other servers."""
    start_seconds: int = 120
    """How long the service may take until its health check passes after a start."""


class Login(_Value):
    """How to sign in on a server and how to gain rights there. Secrets are only named."""

    authentication: Literal["key", "certificate", "password", "keyboard-interactive"] = "key"
    """What `Host.credential` names: a private key (with its certificate) or a password."""
    second_factor: str = ""
    """Name of the answer to a further question of a keyboard-interactive log-in, if any."""
    bastions: tuple[str, ...] = ()
    """Ids of the servers to go through, the first hop first."""
    host_ca: str = ""
    """Public key of the authority that signs the server's host keys, instead of a pinned key."""
    elevate: str = "sudo"
    """`sudo` (without a password), `password` (sudo asks for one), `none`, or the absolute path of
    the site's own program, which is called with the command as its arguments."""
    sudo_credential: str = ""
    """Name of the password that sudo asks for."""


class Facts(_Value):
    """What a server said about itself when it was probed. Empty: not probed, or not readable."""

    os: str = ""
    """`ID` of os-release, or the name of the system, such as `debian`, `rocky`, `aix`."""
    os_version: str = ""
    kernel: str = ""
    init: str = ""
    """The name of process 1: `systemd`, `init`, ..."""
    shell: str = ""
    """The account's login shell."""
    programs: tuple[str, ...] = ()
    """Absolute paths of the programs that tools use and that were found."""
    encoding: str = ""
    """The character set of the account's locale."""
    versions: tuple[tuple[str, str], ...] = ()
    """Software that was found, each with its version: `("nginx", "1.24.0")`."""
    gathered_at: datetime | None = None

    def program(self, name: str) -> str:
        """Return the absolute path of a program, or just `name` if it was not found."""
        return next((path for path in self.programs if path.rpartition("/")[2] == name), name)


class Host(_Value):
    """A server and how to reach it. Secrets are only named, never included."""

    server_id: str
    institution: str
    kind: str
    """`WAS`, `DB`, `WEB`, `SECURITY`."""
    aliases: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    """Names of groups of servers, such as those of an Ansible inventory."""
    address: str = ""
    port: int = 22
    account: str = ""
    host_key: str = ""
    """The pinned public key, as in known_hosts: `ssh-ed25519 AAAA…`."""
    credential: str = ""
    """Name of the private key in the credential store."""
    login: Login = Login()
    facts: Facts = Facts()
    blocked: str = ""
    """Why no command may run there, such as a changed host key; empty: not blocked."""
    services: tuple[Service, ...] = ()
    hops: tuple[Host, ...] = Field(default=(), exclude=True)
    """The servers of `login.bastions` and of the first one's own, the first hop first; filled in
    when the CMDB is read for the transport."""

    def service(self, name: str) -> Service:
        """Return the service of that name. Raises `KeyError` if the CMDB has none."""
        return next((s for s in self.services if s.name == name), None) or _raise_missing(name)


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


class OwnerInfo(_Value):
    """Who is responsible for a server, for a whole institution, or for a group of servers.

    One of `person` and `team`, and one of `server`, `institution` and `group`.
    """

    person: str = ""
    team: str = ""
    server: str = ""
    institution: str = ""
    group: str = ""
    skill: str
    """Such as `DB`; `*`: every skill."""
    proficiency: int
    """1 to 5."""
    duty: Literal["primary", "deputy"] = "primary"

    @property
    def owner(self) -> str:
        """The person's id, or `team:` and the team's id."""
        return self.person or f"team:{self.team}"

    @property
    def scope(self) -> Literal["server", "institution", "group"]:
        """What is covered."""
        return "server" if self.server else "institution" if self.institution else "group"

    @property
    def target(self) -> str:
        """The id of what is covered."""
        return self.server or self.institution or self.group


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
    owners: tuple[OwnerInfo, ...] = ()
    agents: tuple[AgentInfo, ...] = ()
