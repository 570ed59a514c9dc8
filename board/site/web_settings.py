"""Check the settings of the pages when a board starts.

Not when they are read: a wrong address of a proxy must not keep the operator from stopping.
"""

from __future__ import annotations

from guardia.addresses import parse_networks, parse_origin
from guardia.errors import Misconfigured
from guardia.i18n import t
from guardia.settings import Settings


def require_valid(settings: Settings) -> None:
    """Raise `Misconfigured` for the first setting that the pages cannot use."""
    origin = settings.public_origin
    if origin is not None and parse_origin(origin) is None:
        why = t("web.settings.origin", value=origin)
        raise Misconfigured(what="GUARDIA_PUBLIC_ORIGIN", why=why)
    try:
        parse_networks(settings.trusted_proxies)
    except ValueError as error:
        why = t("web.settings.proxies", value=settings.trusted_proxies)
        raise Misconfigured(what="GUARDIA_TRUSTED_PROXIES", why=why) from error
