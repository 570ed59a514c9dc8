"""Where a service is in the load balancers before it, as its CMDB entry `drain` says; pure.

`drain` is the path of a script, or places in upstreams of nginx, separated by spaces. A place names
the server of that nginx only if it is another one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from guardia.errors import Refused
from guardia.i18n import t
from guardia.org.directory import Service

PREFIX = "upstream:"
UPSTREAM = r"[A-Za-z0-9_.-]{1,100}"
ADDRESS = r"[A-Za-z0-9_.:\[\]/-]{1,200}"
_PLACE = re.compile(
    r"upstream:(?:(?P<front>[^\s:/]{1,64})/)?(?P<service>[a-z0-9-]+):(?P<file>/[^:\s]+)"
    rf":(?P<name>{UPSTREAM}):(?P<server>{ADDRESS})"
)


@dataclass(frozen=True, slots=True)
class UpstreamPlace:
    """Where a service is in the configuration of an nginx before it."""

    front: str
    """The server of that nginx; empty: the service's own."""
    service: str
    """The service that nginx is there."""
    file: str
    name: str
    server: str
    """The service's own address, as the upstream writes it."""


def places(service: Service) -> tuple[UpstreamPlace, ...]:
    """Return where a service is; nothing for a script. Raises `Refused` for an unreadable entry."""
    drain = service.drain or ""
    if not drain.startswith(PREFIX):
        return ()
    found = [_PLACE.fullmatch(word) for word in drain.split()]
    if not all(found) or len({match.group() for match in found if match}) != len(found):
        raise Refused(why=t("tools.target.lacks", service=service.name, what="drain"))
    return tuple(
        UpstreamPlace(**{**match.groupdict(), "front": match["front"] or ""})
        for match in found
        if match
    )


def local_place(service: Service) -> UpstreamPlace:
    """Return the place in an nginx of the same server. Raises `Refused` unless there is one."""
    found = [place for place in places(service) if not place.front]
    if len(found) != 1:
        raise Refused(why=t("tools.target.lacks", service=service.name, what="drain"))
    return found[0]


def fronts(service: Service) -> tuple[UpstreamPlace, ...]:
    """Return the places in load balancers of other servers."""
    return tuple(place for place in places(service) if place.front)


def is_drained_locally(service: Service) -> bool:
    """Return whether a script or an nginx of the same server takes the service out."""
    if service.drain is None:
        return False
    found = places(service)
    return not found or any(not place.front for place in found)
