"""Addresses that people configure: the public origin, and networks of trusted proxies."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import urlsplit

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

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


def parse_networks(text: str) -> tuple[IPNetwork, ...]:
    """Return the networks of a list such as `10.0.0.5, fd00::/8`. Raises `ValueError`."""
    parts = (part.strip() for part in text.split(","))
    return tuple(ipaddress.ip_network(part) for part in parts if part)


def parse_address(text: str) -> IPAddress | None:
    """Return an IP address, also with a port or in brackets, or `None` for anything else."""
    host = text.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return None
    # A socket for both families shows IPv4 as ::ffff:10.0.0.5.
    return getattr(found, "ipv4_mapped", None) or found


def is_within(address: IPAddress | None, networks: Sequence[IPNetwork]) -> bool:
    """Return whether an address belongs to one of the networks."""
    return address is not None and any(address in network for network in networks)


def source_of(host: str) -> str:
    """Return what counts as one source: an IPv4 address, or the /64 network of an IPv6 one.

    The owner of one IPv6 address usually has the whole /64.
    """
    address = parse_address(host)
    if isinstance(address, IPv6Address):
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address) if address else host
