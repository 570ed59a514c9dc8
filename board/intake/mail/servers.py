"""Addresses of mail servers, as settings name them, and their TLS."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from guardia.errors import Misconfigured
from guardia.i18n import t
from guardia.settings import Settings

_PORTS = {
    "imaps": 993,
    "imap": 143,
    "imap+plain": 143,
    "smtps": 465,
    "smtp": 587,
    "smtp+plain": 25,
}


@dataclass(frozen=True, slots=True)
class MailServer:
    """A server: `imaps` speaks TLS at once, `imap` begins it (STARTTLS), `imap+plain` has none."""

    scheme: str
    host: str
    port: int
    user: str
    """Empty: no sign-in."""
    folder: str
    """Of IMAP: the mailbox that is read."""

    @property
    def is_tls(self) -> bool:
        """Whether the connection is TLS from its first byte."""
        return self.scheme.endswith("s")

    @property
    def is_plain(self) -> bool:
        """Whether nothing is encrypted."""
        return self.scheme.endswith("+plain")


def parse_server(setting: str, value: str) -> MailServer:
    """Return a server. Raises `Misconfigured` for what is no address of one."""
    wrong = Misconfigured(what=setting, why=t("mail.wrong_server"))
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise wrong from None
    family = setting.rpartition("_")[2].lower()
    if parts.scheme not in _PORTS or not parts.scheme.startswith(family) or not parts.hostname:
        raise wrong
    if parts.password is not None or parts.query or parts.fragment:
        raise Misconfigured(what=setting, why=t("mail.password_in_address"))
    return MailServer(
        scheme=parts.scheme,
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        user=unquote(parts.username or ""),
        folder=unquote(parts.path.strip("/")) or "INBOX",
    )


def require_valid(settings: Settings) -> None:
    """Raise `Misconfigured` if a mailbox is named by settings that cannot work."""
    if not settings.mail_address or "@" not in settings.mail_address:
        raise Misconfigured(what="GUARDIA_MAIL_ADDRESS", why=t("mail.no_address"))
    parse_server("GUARDIA_MAIL_IMAP", settings.mail_imap or "")
    parse_server("GUARDIA_MAIL_SMTP", settings.mail_smtp or "")
    tls_context(settings)


def tls_context(settings: Settings) -> ssl.SSLContext:
    """Return the TLS of mail servers: certificates are always checked."""
    context = ssl.create_default_context()
    if settings.mail_ca is not None:
        try:
            context.load_verify_locations(cafile=str(settings.mail_ca))
        except (OSError, ssl.SSLError) as error:
            raise Misconfigured(what="GUARDIA_MAIL_CA", why=str(error)) from error
    return context
