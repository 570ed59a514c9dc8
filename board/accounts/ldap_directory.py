"""Check a password against an LDAP directory: search the person, then bind as them.

Extra `ldap`. Nothing is read but the entry's name: no account, role or right comes from there.
"""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import urlsplit

from guardia.errors import Misconfigured, SignInUnavailable
from guardia.i18n import t
from guardia.settings import Settings

_SECONDS = 5
_SCHEMES = {"ldaps", "ldap", "ldap+plain"}


def is_configured(settings: Settings) -> bool:
    """Return whether passwords may be checked in a directory."""
    return bool(settings.ldap_url)


def require_valid(settings: Settings) -> None:
    """Raise `Misconfigured` for settings that cannot work."""
    if not settings.ldap_url:
        return
    parts = urlsplit(settings.ldap_url)
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise Misconfigured(what="GUARDIA_LDAP_URL", why=t("accounts.ldap.url"))
    if "{account}" not in settings.ldap_filter:
        raise Misconfigured(
            what="GUARDIA_LDAP_FILTER", why=t("accounts.ldap.filter", account="{account}")
        )
    try:
        import ldap3  # noqa: F401
    except ImportError as error:
        raise Misconfigured(what="GUARDIA_LDAP_URL", why=t("accounts.ldap.extra")) from error


def is_password(settings: Settings, account: str, password: str) -> bool:
    """Return whether the directory accepts a person's password.

    Raises `SignInUnavailable` if it does not answer. An empty password is never sent: a directory
    would take it as an anonymous bind and succeed.
    """
    from ldap3.core.exceptions import LDAPException

    if not account or not _is_sendable(password):
        return False
    try:
        name = _find_name(settings, account)
        return name is not None and _binds(settings, name, password)
    except (LDAPException, OSError, ssl.SSLError) as error:
        raise SignInUnavailable(why=type(error).__name__) from error


def _is_sendable(password: str) -> bool:
    """Return whether something is left of a password in the form in which it is sent.

    A soft hyphen alone, for example, becomes an empty one.
    """
    from ldap3.core.exceptions import LDAPException
    from ldap3.protocol.sasl.sasl import validate_simple_password

    try:
        return bool(password and validate_simple_password(password))
    except LDAPException:
        return False


def _find_name(settings: Settings, account: str) -> str | None:
    """Return the distinguished name of the only entry that fits, or `None`."""
    from ldap3 import SUBTREE
    from ldap3.utils.conv import escape_filter_chars

    secret = settings.ldap_bind_password
    connection = _connect(
        settings, settings.ldap_bind_dn, secret.get_secret_value() if secret else ""
    )
    try:
        if not connection.bind():
            raise SignInUnavailable(why=str(connection.result.get("description")))
        wanted = settings.ldap_filter.replace("{account}", escape_filter_chars(account))
        connection.search(settings.ldap_base, wanted, SUBTREE, attributes=["1.1"], size_limit=2)
        found = [e["dn"] for e in connection.response or () if e.get("type") == "searchResEntry"]
        return str(found[0]) if len(found) == 1 else None
    finally:
        connection.unbind()


def _binds(settings: Settings, name: str, password: str) -> bool:
    connection = _connect(settings, name, password)
    try:
        return bool(connection.bind())
    finally:
        connection.unbind()


def _connect(settings: Settings, name: str, password: str) -> Any:
    """Return a connection that is encrypted, unless the setting says otherwise."""
    import ldap3

    parts = urlsplit(settings.ldap_url or "")
    ca = str(settings.ldap_ca) if settings.ldap_ca else None
    tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=ca)
    server = ldap3.Server(
        parts.hostname,
        parts.port or (636 if parts.scheme == "ldaps" else 389),
        use_ssl=parts.scheme == "ldaps",
        tls=tls if parts.scheme != "ldap+plain" else None,
        get_info=ldap3.NONE,
        connect_timeout=_SECONDS,
    )
    connection = ldap3.Connection(
        server,
        user=name or None,
        password=password or None,
        auto_bind=ldap3.AUTO_BIND_NONE,
        auto_referrals=False,
        receive_timeout=_SECONDS,
        read_only=True,
    )
    connection.open()
    if parts.scheme == "ldap" and not connection.start_tls():
        raise SignInUnavailable(why="STARTTLS")
    return connection
