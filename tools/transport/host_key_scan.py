"""Read the host key that a server presents, without signing in."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import paramiko

from guardia.errors import Unreachable
from guardia.i18n import t
from guardia.org import host_key
from guardia.org.directory import Host
from guardia.tools.transport import hostkey
from guardia.tools.transport.connect import CONNECTION_ERRORS
from guardia.tools.transport.limits import TransportLimits

_AT_ONCE = 32


def scan(host: Host, limits: TransportLimits | None = None) -> str:
    """Return the key that a client that knows nothing would pin: the preferred type it offers.

    Raises `Unreachable` if it offers none.
    """
    return next(_offered(host, limits or TransportLimits()))


def scan_all(
    hosts: Sequence[Host], limits: TransportLimits
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the preferred key of each server, and why the others have none, both by id."""

    def ask(host: Host) -> str | Unreachable:
        try:
            return scan(host, limits)
        except Unreachable as error:
            return error

    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        found = dict(zip((h.server_id for h in hosts), pool.map(ask, hosts), strict=True))
    keys = {server: key for server, key in found.items() if isinstance(key, str)}
    return keys, {server: str(why) for server, why in found.items() if server not in keys}


def find(host: Host, fingerprint: str, limits: TransportLimits | None = None) -> str | None:
    """Return the key with this fingerprint if the server presents it; each type is asked."""
    for key in _offered(host, limits or TransportLimits()):
        if host_key.fingerprint(key) == fingerprint:
            return key
    return None


def _offered(host: Host, limits: TransportLimits) -> Iterator[str]:
    """Yield the server's keys, one a type. Raises `Unreachable` if there is none at all."""
    failure: Unreachable | None = None
    found = False
    for kind in host_key.TYPES:
        try:
            key = _ask(host, kind, limits)
        except paramiko.ssh_exception.IncompatiblePeer as error:
            failure = failure or _unreachable(host, error)
            continue
        except CONNECTION_ERRORS as error:
            raise _unreachable(host, error) from error
        found = True
        yield key
    if not found and failure is not None:
        raise failure


def _ask(host: Host, kind: str, limits: TransportLimits) -> str:
    deadline = time.monotonic() + limits.first_channel
    with socket.create_connection((host.address, host.port), timeout=limits.connect) as sock:
        transport = paramiko.Transport(sock)
        try:
            left = max(0.1, deadline - time.monotonic())
            transport.banner_timeout = transport.handshake_timeout = left
            transport.get_security_options().key_types = hostkey.algorithms(kind)
            transport.start_client(timeout=left)
            key = transport.get_remote_server_key()
        finally:
            transport.close()
    return host_key.normalized(f"{key.get_name()} {key.get_base64()}")


def _unreachable(host: Host, error: Exception) -> Unreachable:
    words = {"address": f"{host.address}:{host.port}", "error": str(error)[:120]}
    return Unreachable(server=host.server_id, why=t("tools.ssh.no_scan", **words), reason="no_scan")
