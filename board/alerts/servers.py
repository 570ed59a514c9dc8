"""Find the server that an alert's labels name, by id, alias or address."""

from __future__ import annotations

import ipaddress
import weakref
from collections.abc import Iterable, Iterator
from threading import Lock
from urllib.parse import urlsplit

from guardia.org.directory import Directory, Host
from guardia.text import matching_form

_AMBIGUOUS = ""


class ServerIndex:
    """The servers of a directory by each of their names; a name of several servers finds none."""

    def __init__(self, directory: Directory) -> None:
        self.institutions = {host.server_id: host.institution for host in directory.servers}
        self._names: dict[str, str] = {}
        self._short: dict[str, str] = {}
        self._ids = {matching_form(host.server_id): host.server_id for host in directory.servers}
        for host in directory.servers:
            for name in _names_of(host):
                _add(self._names, name, host.server_id)
                if "." in name and not _is_address(name):
                    _add(self._short, name.partition(".")[0], host.server_id)
        self._names |= self._ids  # an id outranks every other name

    def find(self, texts: Iterable[str]) -> str | None:
        """Return the server that the first telling text names, or `None`."""
        return next((found for text in texts if (found := self._find(text))), None)

    def _find(self, text: str) -> str | None:
        for form in _forms(text):
            if found := self._names.get(form):
                return found
        host = _split(matching_form(text.strip()))[0]
        first, dot, _ = host.partition(".")
        # The first part of a full name may be a server of another domain: only an id is safe.
        names = self._ids if dot else self._short
        return None if _is_address(host) else names.get(first) or None


def _add(names: dict[str, str], name: str, server: str) -> None:
    if name:
        names[name] = server if names.get(name, server) == server else _AMBIGUOUS


def _names_of(host: Host) -> Iterator[str]:
    """Yield the names of a server: id, aliases, address alone and with each of its ports."""
    yield from map(matching_form, (host.server_id, *host.aliases))
    if host.address:
        address = _plain_address(host.address)
        yield address
        for port in {host.port, *(s.port for s in host.services if s.port)}:
            yield f"{address}:{port}"


def _forms(text: str) -> Iterator[str]:
    """Yield a text as names are compared: whole, as `host:port`, and the host alone."""
    whole = matching_form(text.strip())
    yield whole
    host, port = _split(whole)
    if port:
        yield f"{host}:{port}"
    if host != whole:
        yield host


def _split(text: str) -> tuple[str, int | None]:
    """Return host and port of `host`, `host:port`, `[v6]:port` or a URL."""
    bare_v6 = text.count(":") > 1 and not text.startswith("[") and "//" not in text
    try:
        parts = urlsplit(text if "//" in text else f"//{f'[{text}]' if bare_v6 else text}")
        return _plain_address(parts.hostname or ""), parts.port
    except ValueError:
        return text, None


def _plain_address(text: str) -> str:
    """Return an IP address in its one form, any other text as it is compared."""
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        return matching_form(text.strip())


def _is_address(text: str) -> bool:
    return _split(text)[0].replace(".", "").replace(":", "").isdigit() or ":" in _split(text)[0]


_indexes: dict[int, tuple[weakref.ref[Directory], ServerIndex]] = {}
_lock = Lock()


def index_of(directory: Directory) -> ServerIndex:
    """Return the index of a directory, built on first use and kept as long as the directory."""
    with _lock:
        known = _indexes.get(id(directory))
        if known is None or known[0]() is not directory:
            _indexes.clear()  # there is one directory at a time
            known = _indexes[id(directory)] = weakref.ref(directory), ServerIndex(directory)
        return known[1]
