"""All settings of an installation, read once from `GUARDIA_*` variables."""

from __future__ import annotations

import hashlib
import os
from functools import cached_property
from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from guardia.addresses import parse_origin


def _checkout() -> Path | None:
    """Return the source checkout that this program runs from, or `None` if it is installed."""
    top = Path(__file__).resolve().parents[2]
    return top if (top / "pyproject.toml").is_file() and (top / "org").is_dir() else None


def default_home() -> Path:
    """Return the data folder for an unset `GUARDIA_HOME`; every checkout has its own.

    Root shares it with the unprivileged account that runs the embedded PostgreSQL, so for root it
    is never below a private folder.
    """
    checkout = _checkout()
    if os.geteuid() == 0:
        shared = Path("/var/lib/guardia")
        if checkout is None:
            return shared
        return shared / hashlib.sha256(str(checkout).encode()).hexdigest()[:12]
    if checkout is not None:
        return checkout / ".guardia"
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "guardia"


def _parts(value: str | SecretStr | None) -> tuple[str, ...]:
    """Return the parts of a list that is separated by commas."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value or ""
    return tuple(stripped for part in text.split(",") if (stripped := part.strip()))


class Settings(BaseSettings, validate_by_name=True, validate_by_alias=True):  # type: ignore[misc]
    """Settings that an operator may change; see docs/operations.md."""

    model_config = SettingsConfigDict(env_prefix="GUARDIA_", extra="ignore")

    home: Path = Field(default_factory=default_home)
    """Private folder for the embedded database, keys and the practice fleet."""
    machine_images: Path = Path("/var/cache/guardia/machines")
    """Folder in which the images of `guardia lab up --machines` are kept."""
    dsn: SecretStr | None = None
    """DSN of the application role in an external PostgreSQL (>= 15); unset: the embedded one."""
    owner_dsn: SecretStr | None = None
    """DSN of the owner role in an external PostgreSQL, for migrations only."""
    host: str = "127.0.0.1"
    """Address on which the board listens."""
    port: int = Field(default=8420, ge=0, le=65535)
    """Port of the board; 0 picks a free one."""
    public_origin: str | None = Field(
        default=None,
        validation_alias=AliasChoices("GUARDIA_PUBLIC_ORIGIN", "GUARDIA_PUBLIC_URL"),
    )
    """Origin under which people and the messenger reach the board, such as
    `https://board.example`: for links and buttons in messages, the origin check of forms, and
    passkeys; unset: the address of the request, and no passkeys. Installations of before name it
    `GUARDIA_PUBLIC_URL`."""
    site_institution: str = Field(default="", max_length=60)
    """The institution that operates this installation: in the header and the footer of pages."""
    site_department: str = Field(default="", max_length=60)
    """The department that is responsible for it, in the footer."""
    site_contact: str = Field(default="", max_length=120)
    """Whom users call or write to, in the footer."""
    privacy_url: str = Field(default="", pattern=r"^(https?://\S+|/\S*)?$")
    """The institution's own privacy policy; unset: what this system stores, on `/about`."""
    accessibility_url: str = Field(default="", pattern=r"^(https?://\S+|/\S*)?$")
    """The institution's own accessibility notes; unset: those on `/about`."""
    passkey_seconds: int = Field(default=120, ge=10, le=600)
    """How long a person may take to sign with a passkey; then the page asks again."""
    board_url: str | None = None
    """Address under which external agents reach the board; unset: `http://host:port`."""
    trusted_proxies: str = ""
    """Addresses or networks (CIDR) of reverse proxies, separated by commas; only their
    `X-Forwarded-For` and `X-Forwarded-Proto` are believed."""
    tls_certificate: Path | None = None
    """PEM file of the board's certificate and those above it; unset: plain HTTP."""
    tls_key: Path | None = None
    """PEM file of the certificate's key; unset: it is in the file of the certificate."""
    hsts_seconds: int = Field(default=0, ge=0)
    """Seconds for which browsers must use HTTPS only (HSTS); 0: not announced."""
    remote_read_servers: int = Field(default=1000, ge=1, le=20_000)
    """Servers that one run of the remote console may read."""
    remote_change_servers: int = Field(default=100, ge=1, le=500)
    """Servers that one run of the remote console may change."""
    max_connections: int = Field(default=4000, ge=16)
    """Connections of one board process; fewer where the limit of open files demands it."""
    streams_per_person: int = Field(default=16, ge=1)
    """Live pages that one person may have open; the oldest is closed for a new one."""
    requests_per_sender: int = Field(default=30, ge=1)
    """Requests a minute that one sender of a messenger, or one person on the pages, may file."""
    requests_per_room: int = Field(default=120, ge=1)
    """Requests a minute of one room of a messenger."""
    api_calls_per_token: int = Field(default=600, ge=1)
    """Requests a minute with one access token."""
    forms_per_person: int = Field(default=600, ge=1)
    """Forms a minute that one person may submit."""
    password_length: int = Field(default=9, ge=8, le=64)
    """Shortest password."""
    password_classes: int = Field(default=3, ge=1, le=3)
    """Kinds of characters that a password must mix: letters, digits, others."""
    password_history: int = Field(default=5, ge=0, le=50)
    """Earlier passwords that may not be used again."""
    password_days: int = Field(default=90, ge=0, le=3650)
    """Days after which a password must be changed; 0: never."""
    lock_failures: int = Field(default=5, ge=0, le=1000)
    """Failed sign-ins in a row that lock an account; 0: never."""
    lock_minutes: int = Field(default=10, ge=1, le=525_600)
    """Minutes for which an account is locked."""
    lock_known_devices: bool = False
    """Whether a lock also holds for devices on which the person has signed in before, so that
    failures of strangers shut the owner out."""
    idle_minutes: int = Field(default=30, ge=0, le=720)
    """Minutes without an action after which a session ends; 0: never."""
    idle_minutes_admin: int = Field(default=10, ge=0, le=720)
    """The same for administrators."""
    idle_warning_minutes: int = Field(default=5, ge=1, le=60)
    """Minutes before that end at which pages warn; at most half of the time-out."""
    sessions_per_person: int = Field(default=0, ge=0, le=100)
    """Sessions that one person may have; a new one ends the oldest. 0: any number."""
    vendor_days: int = Field(default=366, ge=1, le=3650)
    """Longest time for which an account of a vendor is given."""
    admin_networks: str = ""
    """Addresses or networks (CIDR) from which administration is possible, separated by commas;
    unset: all. Behind a proxy they are the clients' if it is one of `trusted_proxies`."""
    ldap_url: str | None = None
    """The directory that checks passwords of accounts without one here: `ldaps://host`,
    `ldap://host` (STARTTLS) or `ldap+plain://host` (not encrypted); unset: none."""
    ldap_bind_dn: str = ""
    """Account that searches the directory; unset: anonymous."""
    ldap_bind_password: SecretStr | None = None
    ldap_base: str = ""
    """Where people are searched for, such as `ou=people,dc=example,dc=kr`."""
    ldap_filter: str = "(uid={account})"
    """Filter that finds one person; `{account}` is the escaped id."""
    ldap_ca: Path | None = None
    """PEM file of the authorities that sign the directory's certificate, beside the system's."""
    oidc_issuer: str | None = None
    """Issuer of the OpenID provider for sign-in; unset: none."""
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr | None = None
    oidc_claim: str = "sub"
    """Claim whose value is the id of the account here; `email` counts only if it is verified."""
    oidc_scope: str = "openid"
    """Scopes to ask for, separated by spaces."""
    oidc_roles_claim: str = ""
    """Claim with groups, for `oidc_roles`."""
    oidc_roles: str = ""
    """Role of each group, as `group=role` separated by commas; the first that fits counts. Unset:
    the provider gives no roles. A role of approvers still needs a second person."""
    oidc_ca: Path | None = None
    """PEM file of the authorities that sign the provider's certificate, instead of the system's."""
    rights_history_years: int = Field(default=3, ge=3, le=30)
    """Years for which the history of rights is kept."""
    review_months: int = Field(default=6, ge=1, le=12)
    """Months of one review of everyone's rights."""
    ssh_commands_per_server: int = Field(default=16, ge=1)
    """Commands of one process that run on one server at the same time."""
    ssh_commands_per_institution: int = Field(default=200, ge=1)
    """Commands of one process that run on all servers of an institution at the same time."""
    ssh_connections_per_server: int = Field(default=4, ge=1)
    """Connections of one process to one server."""
    ssh_connections_per_institution: int = Field(default=500, ge=1)
    """Connections of one process to all servers of an institution."""
    ssh_login_seconds: int = Field(default=30, ge=0, le=300)
    """Seconds that a server may take to sign in, on top of 10 for the connection: a server with
    unreachable name servers is slow."""
    ssh_keepalive: int = Field(default=15, ge=1)
    """Seconds between signs of life on an open connection, for firewalls that forget idle ones."""
    log_file: Path | None = None
    """File for the log of `up`, `serve` and `worker`; unset: standard error."""
    log_megabytes: int = Field(default=10, ge=1)
    """Size at which the log file is rotated; five older ones are kept."""
    chart: Path | None = None
    """The org chart; unset: the one that ships with the product."""
    messenger_token: SecretStr | None = None
    """Tokens of the messenger's outgoing webhooks, separated by commas; unset: that channel is
    closed."""
    messenger_url: SecretStr | None = None
    """Incoming webhook for replies; unset: replies stay on the board."""
    alertmanager_token: SecretStr | None = None
    """Tokens with which Alertmanager sends alerts, separated by commas; unset: closed."""
    grafana_token: SecretStr | None = None
    """Tokens with which Grafana sends alerts, separated by commas."""
    grafana_secret: SecretStr | None = None
    """Keys of the signature (HMAC-SHA256) of Grafana's requests, separated by commas. Without it
    and without tokens the channel is closed."""
    grafana_signature_header: str = ""
    """Header of the signature; unset: the two names that Grafana uses."""
    grafana_timestamp_header: str = ""
    """Header of the time that is signed too, if the contact point has one."""
    zabbix_token: SecretStr | None = None
    """Tokens with which Zabbix sends alerts, separated by commas; unset: closed."""
    alert_priorities: str = (
        "emergency=P1,fatal=P1,critical=P1,disaster=P1,page=P1,error=P2,major=P2,high=P2,"
        "warning=P3,average=P3,minor=P3,info=P4,information=P4,low=P4,not classified=P4,none=-"
    )
    """Priority of each severity, separated by commas; `-`: recorded without an issue. Any other
    severity means P3."""
    alert_quiet_minutes: int = Field(default=10, ge=0, le=1440)
    """Minutes after our own change of a server in which its alerts open no issue."""
    alert_reopen_minutes: int = Field(default=60, ge=0, le=10080)
    """Minutes in which an issue closed by a resolution is reopened if its alert fires again."""
    alert_issues_per_minute: int = Field(default=20, ge=1)
    """Issues a minute that one monitoring system may open before one issue takes all further
    alerts."""
    alert_url: SecretStr | None = None
    """Webhook for alerts (FAILED_ROLLBACK, failed undo, broken chain)."""
    slack_signing_secret: SecretStr | None = None
    """Signing secrets of the Slack app, separated by commas; unset: that channel is closed."""
    slack_token: SecretStr | None = None
    """Token of the Slack app's bot (`xoxb-…`) for replies; unset: they stay on the board."""
    slack_api: str = "https://slack.com/api"
    """Address of Slack's Web API, or of a relay to it."""
    slack_response_hosts: str = "hooks.slack.com"
    """Hosts to which pressed buttons are answered, separated by commas; `http://host:port` for a
    relay on the own network."""
    webhook_local: bool = False
    """Whether webhooks may go to addresses of this host and its link."""
    slack_window: int = Field(default=300, ge=10, le=86_400)
    """Seconds by which the time of a request from Slack may differ from now."""
    jandi_token: SecretStr | None = None
    """Tokens of JANDI's outgoing webhooks, separated by commas; unset: that channel is closed."""
    jandi_url: SecretStr | None = None
    """JANDI's incoming webhooks for replies, as `topic=address` separated by commas; an address
    without a topic is for all others."""
    mattermost_token: SecretStr | None = None
    """Token of Mattermost's bot account, which opens forms; unset: no forms."""
    mattermost_url: str | None = None
    """Address of the Mattermost server, for forms."""
    mail_address: str | None = None
    """Address of the mailbox, from which replies are sent; unset: the channel is closed."""
    mail_imap: str | None = None
    """The mailbox: `imaps://user@host/INBOX`; `imap://` begins TLS (STARTTLS), `imap+plain://` is
    not encrypted."""
    mail_smtp: str | None = None
    """The server for replies: `smtps://user@host`, `smtp://` (STARTTLS) or `smtp+plain://`."""
    mail_password: SecretStr | None = None
    """Password of the mailbox."""
    mail_smtp_password: SecretStr | None = None
    """Password of the server for replies; unset: that of the mailbox."""
    mail_ca: Path | None = None
    """PEM file of the authorities that sign the mail servers' certificates, beside those of the
    system."""
    mail_trusted_server: str = ""
    """Name of the site's own mail server in `Authentication-Results`: what it has proved counts.
    Unset: no sender is verified."""
    mail_own_hops: int = Field(default=2, ge=1, le=20)
    """`Received` lines that the site's own servers write; results below them are not believed."""
    mail_domains: str = ""
    """Domains whose senders may write, separated by commas, with those below them; unset: all."""
    mail_plus: bool = False
    """Whether the mail server delivers `name+anything@host` to the mailbox: then replies find
    their issue even if a mail program drops the references."""
    mail_done_folder: str = ""
    """Folder into which stored mails are moved; unset: they stay and are marked as read."""
    mail_poll_seconds: int = Field(default=60, ge=5, le=3600)
    """Seconds between two looks into a mailbox whose server announces nothing (no IDLE)."""
    mail_megabytes: int = Field(default=25, ge=1, le=200)
    """Largest mail that is read whole; of a larger one only the beginning is."""
    checkpoint_key: Path | None = None
    """File of the private key that signs audit checkpoints; unset: one in `secrets`."""
    checkpoint_copy: Path | None = None
    """Second folder for copies of the checkpoints, best on another machine; it must exist."""
    clock_limit: float = Field(default=5.0, gt=0, le=300)
    """Seconds by which this host's clock may differ from the database's, or it does no work."""
    keep_steps_days: int = Field(default=30, ge=1)
    """Days for which the saved steps of an ended task's graph are kept."""
    enabled_tools: str = ""
    """Changes by a vendor's manual that may be planned and run, separated by commas: a tool's name,
    `family.*` or `*`. They are off otherwise, because they could not be tried by us."""
    artifacts: Path | None = None
    """Folder of uploaded files, shared by all hosts with workers; unset: one in the home."""
    artifact_keys: Path | None = None
    """Folder of public keys (`NAME.pem`) that verify the signatures of uploads."""
    upload_megabytes: int = Field(default=4096, ge=1)
    """Largest file that may be uploaded."""
    attachment_megabytes: int = Field(default=20, ge=1, le=200)
    """Largest file that may be attached to an issue on a page."""
    store_gigabytes: int = Field(default=50, ge=1)
    """Most that all uploaded files may take."""
    search_model: Path | None = None
    """Folder of a sentence-transformers model for the search of documents; unset: the bundled
    one."""
    model_key: SecretStr | None = None
    """API key of the chat model server, if the chart names one."""

    @field_validator("public_origin")
    @classmethod
    def _as_browsers_write_it(cls, value: str | None) -> str | None:
        # What is no origin is kept as it is: only starting a board refuses it, so that a wrong
        # value cannot keep the operator from stopping or verifying.
        return (parse_origin(value) or value) if value else None

    @field_validator("alert_priorities")
    @classmethod
    def _readable_priorities(cls, value: str) -> str:
        for part in filter(None, (part.strip() for part in value.split(","))):
            name, _, priority = part.partition("=")
            if not name.strip() or priority.strip().upper() not in {"P1", "P2", "P3", "P4", "-"}:
                raise ValueError(f"alert_priorities: {part}")
        return value

    @property
    def enabled_tool_patterns(self) -> tuple[str, ...]:
        """The changes by a manual that are on, as patterns of the org chart."""
        return _parts(self.enabled_tools)

    @property
    def messenger_tokens(self) -> tuple[str, ...]:
        """The messenger's tokens; empty if the channel is closed."""
        return _parts(self.messenger_token)

    @property
    def slack_secrets(self) -> tuple[str, ...]:
        """The signing secrets of Slack; empty if the channel is closed."""
        return _parts(self.slack_signing_secret)

    @property
    def slack_response_host_names(self) -> tuple[str, ...]:
        """The hosts to which pressed buttons of Slack are answered."""
        return _parts(self.slack_response_hosts)

    @property
    def jandi_tokens(self) -> tuple[str, ...]:
        """The tokens of JANDI; empty if the channel is closed."""
        return _parts(self.jandi_token)

    @property
    def jandi_webhooks(self) -> tuple[str, ...]:
        """The incoming webhooks of JANDI, each with its topic or without."""
        return _parts(self.jandi_url)

    @property
    def board_address(self) -> str:
        """Address under which external agents reach the board."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host
        own = f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"
        # A certificate names the public host, not the address on which the board listens.
        return self.board_url or (self.tls_certificate and self.public_origin) or own

    @property
    def scheme(self) -> str:
        """Scheme that the board itself speaks."""
        return "https" if self.tls_certificate else "http"

    @property
    def postgres(self) -> Path:
        """Folder of the embedded PostgreSQL."""
        return self.home / "postgres"

    @cached_property
    def secrets(self) -> Path:
        """Folder of private keys, one file per credential, mode 0600."""
        return self.home / "secrets"
