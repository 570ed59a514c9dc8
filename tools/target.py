"""Resolve a service of a host and its locations in the CMDB.

All functions raise `Refused` if the CMDB lacks the entry or holds an unsafe one.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from guardia.errors import Refused
from guardia.i18n import t
from guardia.org.directory import Host, Service

HTTP_KINDS = ("http", "tls")

_UNIT = re.compile(r"[A-Za-z0-9:_.@\\][A-Za-z0-9:_.@\\-]{0,200}\.(service|socket|timer|mount|path)")
_PATH = re.compile(r"/[^\x00-\x1f\x7f]*")
_HOST_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}")
_DATABASE = re.compile(r"[A-Za-z0-9_$가-힣][A-Za-z0-9_$.가-힣-]{0,127}")
_WAYS_IN = ("ssh.service", "sshd.service", "ssh.socket", "sshd.socket")
_EVERYWHERE = ("*", "0.0.0.0", "::")
_ADDRESS = re.compile(r"/[A-Za-z0-9._/-]*|[A-Za-z0-9:][A-Za-z0-9.:-]{0,252}")
_HEALTH = re.compile(r"/[A-Za-z0-9._~/?&=%+-]*")


def service_on(host: Host, name: str, kinds: Collection[str] = ()) -> Service:
    """Return the host's service called `name`. Raises `Refused` if it has none of these kinds."""
    try:
        service = host.service(name)
    except KeyError:
        raise Refused(
            why=t("tools.target.no_service", server=host.server_id, service=name)
        ) from None
    if kinds and service.kind not in kinds:
        raise Refused(why=t("tools.target.wrong_kind", service=name, kind=service.kind))
    return service


def is_systemd(host: Host, service: Service) -> bool:
    """Return whether systemd runs the service: it has a unit, and the host says no other init.

    A service with a unit and a script of its own follows what the host was found to run.
    """
    if not service.unit:
        return False
    return host.facts.init == "systemd" or (not host.facts.init and not service.control)


def unit(host: Host, service: Service) -> str:
    """Return the service's systemd unit."""
    if not is_systemd(host, service) or not _UNIT.fullmatch(service.unit or ""):
        raise _missing(service, "unit")
    return str(service.unit)


def is_way_in(host: Host, service: Service) -> bool:
    """Return whether the service is the server's own SSH: without it no command arrives there."""
    return is_systemd(host, service) and unit(host, service) in _WAYS_IN


def is_init_script(service: Service) -> bool:
    """Return whether the control script is one of the system's own, which need root."""
    return bool(service.control) and str(service.control).startswith(("/etc/init.d/", "/etc/rc.d/"))


def root(service: Service) -> str:
    """Return the service's folder."""
    return _path(service, "root", service.root)


def logs(service: Service) -> str:
    """Return the service's log folder."""
    return _path(service, "logs", service.logs)


def drain(service: Service) -> str:
    """Return the path of the script that takes the service out of its load balancer."""
    return _path(service, "drain", service.drain)


def require_layout(service: Service, layout: str) -> None:
    """Raise `Refused` unless versions of the service are installed in this way."""
    if service.layout != layout:
        why = t("tools.target.wrong_layout", service=service.name, layout=layout)
        raise Refused(why=why)


def webapps(service: Service) -> str:
    """Return the folder of the WARs of a Tomcat, whose root is its CATALINA_BASE."""
    require_layout(service, "webapps")
    return f"{root(service)}/webapps"


def config(service: Service) -> str:
    """Return the path of the service's main configuration file or folder."""
    return _path(service, "config", service.config)


def certificate(service: Service) -> str:
    """Return the path of the file with the service's certificate chain."""
    return _path(service, "certificate", service.certificate)


def certificate_key(service: Service) -> str:
    """Return the path of the private key of the service's certificate."""
    return _path(service, "certificate_key", service.certificate_key)


def control(service: Service) -> str:
    """Return the path of the service's control script."""
    return _path(service, "control", service.control)


def port(service: Service) -> int:
    """Return the service's TCP port."""
    if service.port is None or not 0 < service.port < 65536:
        raise _missing(service, "port")
    return service.port


def health(service: Service) -> str:
    """Return the path of the service's HTTP health check."""
    if service.health is None or not _HEALTH.fullmatch(service.health):
        raise _missing(service, "health")
    return service.health


def address(service: Service) -> str:
    """Return where the service listens: an address, or a folder of sockets.

    Empty if it is to be found on the server: it listens at all addresses, or the CMDB says nothing.
    """
    if service.address in (None, "", *_EVERYWHERE):
        return ""
    if not _ADDRESS.fullmatch(str(service.address)):
        raise _missing(service, "address")
    return str(service.address)


def database(service: Service) -> str:
    """Return the name of the database."""
    if service.database is None or not _DATABASE.fullmatch(service.database):
        raise _missing(service, "database")
    return service.database


def login(service: Service) -> str:
    """Return the role of the database, or the account, that the service is used as."""
    if service.login is None or not _DATABASE.fullmatch(service.login):
        raise _missing(service, "login")
    return service.login


def tls_names(service: Service) -> tuple[str, ...]:
    """Return the host names of the sites on the service's port; Korean names as DNS has them."""
    try:
        names = tuple(name.encode("idna").decode() for name in service.tls_names)
    except UnicodeError:
        raise _missing(service, "tls_names") from None
    if not all(map(_HOST_NAME.fullmatch, names)):
        raise _missing(service, "tls_names")
    return names


def _path(service: Service, what: str, path: str | None) -> str:
    """Return an absolute path without `..`, which quoting alone does not prevent."""
    if path is None or not _PATH.fullmatch(path) or ".." in path.split("/"):
        raise _missing(service, what)
    return path.rstrip("/") or "/"


def _missing(service: Service, what: str) -> Refused:
    return Refused(why=t("tools.target.lacks", service=service.name, what=what))
