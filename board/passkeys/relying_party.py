"""The address for which passkeys are registered: it must be one that browsers accept.

A browser offers passkeys only at a host name, over HTTPS or on `localhost`. A passkey belongs to
that host name for ever: another name or address of the same board cannot use it.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from guardia.addresses import parse_origin
from guardia.errors import PasskeyUnavailable
from guardia.i18n import t
from guardia.settings import Settings

NAME = "GUARDiA"
_LOCAL = "localhost"


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """The board as devices know it."""

    origin: str
    """Scheme, host and port, as the browser reports them."""
    rp_id: str
    """Host name."""
    lifetime: timedelta = timedelta(minutes=2)
    """How long a challenge may be answered."""


def relying_party(settings: Settings) -> RelyingParty:
    """Return the relying party of the configured origin.

    Raises `PasskeyUnavailable` with what to configure if browsers offer no passkeys there.
    """
    public_origin = settings.public_origin
    if not public_origin:
        raise PasskeyUnavailable(why=t("passkeys.origin.missing"))
    origin = parse_origin(public_origin)
    host = urlsplit(origin).hostname if origin else None
    if origin is None or host is None:
        raise PasskeyUnavailable(why=t("passkeys.origin.malformed", origin=public_origin))
    if _is_ip_address(host):
        raise PasskeyUnavailable(why=t("passkeys.origin.address", origin=origin))
    if not origin.startswith("https:") and host != _LOCAL and not host.endswith(f".{_LOCAL}"):
        raise PasskeyUnavailable(why=t("passkeys.origin.plain", origin=origin))
    return RelyingParty(origin, host, timedelta(seconds=settings.passkey_seconds))


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
