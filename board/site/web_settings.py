"""Check the settings of the pages when a board starts.

Not when they are read: a wrong address of a proxy must not keep the operator from stopping.
"""

from __future__ import annotations

from guardia.addresses import parse_networks, parse_origin
from guardia.board.accounts import ldap_directory, oidc
from guardia.errors import Misconfigured
from guardia.i18n import t
from guardia.settings import Settings


def require_valid(settings: Settings) -> None:
    """Raise `Misconfigured` for the first setting that the pages cannot use."""
    origin = settings.public_origin
    if origin is not None and parse_origin(origin) is None:
        why = t("web.settings.origin", value=origin)
        raise Misconfigured(what="GUARDIA_PUBLIC_ORIGIN", why=why)
    for name, value in (
        ("TRUSTED_PROXIES", settings.trusted_proxies),
        ("ADMIN_NETWORKS", settings.admin_networks),
    ):
        try:
            parse_networks(value)
        except ValueError as error:
            why = t("web.settings.proxies", value=value)
            raise Misconfigured(what=f"GUARDIA_{name}", why=why) from error
    ldap_directory.require_valid(settings)
    oidc.require_valid(settings)
