"""Addresses that people configure: the public origin, and networks of trusted proxies."""

from __future__ import annotations

from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


def parse_origin(text: str) -> str | None:
    """Return `https://host[:port]` as a browser writes it, or `None` if `text` is no origin.

    A browser compares scheme, host and port; so host and scheme are in lower case, a Korean host
    name is encoded, and a default port is left out. A path of more than `/` is no origin.
    """
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname or "", parts.port
        host = host if ":" in host else host.encode("idna").decode()
    except ValueError:
        return None
    rest = parts.path.strip("/") or parts.query or parts.fragment
    if parts.scheme not in _DEFAULT_PORTS or not host or rest or "@" in parts.netloc:
        return None
    shown = f"[{host}]" if ":" in host else host
    standard = port in {None, _DEFAULT_PORTS[parts.scheme]}
    return f"{parts.scheme}://{shown}" if standard else f"{parts.scheme}://{shown}:{port}"
