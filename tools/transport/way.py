"""The way to a server: what identifies it, and what is wrong with the hops on it."""

from __future__ import annotations

from guardia.errors import Unreachable
from guardia.org.directory import Host
from guardia.tools.transport.connect import unreachable

Way = tuple[tuple[str, ...], ...]
"""What makes connections interchangeable: the server, and every hop before it."""


def way_to(host: Host) -> Way:
    """Return what identifies the way to a host; other facts of the CMDB may change."""
    return tuple(_endpoint(server) for server in (*host.hops, host))


def last_hop(host: Host) -> Host:
    """Return the hop before a host, with the hops before that."""
    *before, last = host.hops
    return last.model_copy(update={"hops": tuple(before)})


def require_passable(host: Host) -> None:
    """Raise `Unreachable` if the way leads in circles, or over an unknown or blocked server.

    Nor does it lead to a server without an address: that would be this machine.
    """
    if not all(one.address.strip() for one in (*host.hops, host)):
        raise unreachable(host, "without_address")
    ids = [hop.server_id for hop in host.hops]
    before_first = host.hops[0].login.bastions if host.hops else ()
    unknown = [name for name in (*before_first, *host.login.bastions) if name not in ids]
    if unknown:
        raise unreachable(host, "hop_unknown", {"hop": ", ".join(unknown)})
    if before_first or host.server_id in ids or len(set(ids)) < len(ids):
        raise unreachable(host, "hop_loop", {"hops": " → ".join((*ids, host.server_id))})
    if blocked := next((hop for hop in host.hops if hop.blocked), None):
        raise unreachable(host, "hop_blocked", {"hop": blocked.server_id})


def behind(host: Host, hop: Host, error: Unreachable) -> Unreachable:
    """Say of a server that a hop before it is unreachable.

    The details name the `hop` with its own reason as `hop_reason`, and the key that it `offered`.
    """
    if error.detail.get("reason") == "hop":  # a hop further ahead
        detail = {**error.detail, "server": host.server_id}
    else:
        found = unreachable(host, "hop", {"hop": hop.server_id, "error": error.detail.get("why")})
        offered = {k: v for k, v in error.detail.items() if k == "offered"}
        reason = {"hop": hop.server_id, "hop_reason": error.detail.get("reason")}
        detail = found.detail | reason | offered
    return Unreachable(**detail)


def _endpoint(host: Host) -> tuple[str, ...]:
    login = host.login
    return (
        host.server_id,
        host.address,
        str(host.port),
        host.account,
        host.host_key,
        host.credential,
        login.authentication,
        login.second_factor,
        login.host_ca,
    )
