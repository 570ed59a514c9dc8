"""Host keys from a known_hosts file, hashed entries too. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from guardia.errors import Invalid
from guardia.i18n import t
from guardia.org.host_key import TYPES

_MOST_COMPARISONS = 30_000_000
"""Each hashed entry has a salt of its own: every name is compared with every entry."""


@dataclass
class KnownHosts:
    """The entries of a known_hosts file."""

    plain: dict[str, list[str]] = field(default_factory=dict)
    """Keys by name: `host`, or `[host]:port`."""
    hashed: list[tuple[bytes, bytes, str]] = field(default_factory=list)
    """Salt, hash and key."""
    patterns: list[tuple[list[str], str]] = field(default_factory=list)
    authorities: list[tuple[list[str], str]] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)
    bad_lines: list[int] = field(default_factory=list)

    def authority(self, names: Iterable[str]) -> str:
        """Return the public key of the authority for one of these names, or an empty text."""
        return next(
            (key for patterns, key in self.authorities if any(_fits(patterns, n) for n in names)),
            "",
        )


def read_known_hosts(text: str) -> KnownHosts:
    """Return the entries of a file; lines that are none are noted by number."""
    found = KnownHosts()
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        marker = words.pop(0) if words[0].startswith("@") else ""
        if len(words) < 3 or not _is_key(words[1], words[2]):
            found.bad_lines.append(number)
            continue
        _add(found, marker, words[0], f"{words[1]} {words[2]}", number)
    return found


def _add(found: KnownHosts, marker: str, names: str, key: str, number: int) -> None:
    if marker == "@revoked":
        found.revoked.add(key)
    elif marker == "@cert-authority":
        found.authorities.append((names.split(","), key))
    elif marker:
        found.bad_lines.append(number)
    elif names.startswith("|1|"):
        try:
            salt, digest = (base64.b64decode(part, validate=True) for part in names[3:].split("|"))
        except (ValueError, binascii.Error):
            found.bad_lines.append(number)
            return
        found.hashed.append((salt, digest, key))
    elif any(sign in names for sign in "*?!"):
        found.patterns.append((names.split(","), key))
    else:
        for name in names.split(","):
            found.plain.setdefault(name.lower(), []).append(key)


def _is_key(kind: str, text: str) -> bool:
    try:
        data = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return False
    length = int.from_bytes(data[:4])
    return data[4 : 4 + length] == kind.encode()


def known_name(address: str, port: int) -> str:
    """Return the name under which known_hosts keeps an address."""
    return address.lower() if port == 22 else f"[{address.lower()}]:{port}"


def find_keys(found: KnownHosts, sought: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """Return the keys of each server, the preferred one first; `sought` has their known names.

    Raises `Invalid` if the file has so many hashed entries that comparing takes too long.
    """
    keys: dict[str, list[str]] = {}
    for server, names in sought.items():
        own = [key for name in names for key in found.plain.get(name, ())]
        own += [key for patterns, key in found.patterns if any(_fits(patterns, n) for n in names)]
        if own:
            keys[server] = own
    if found.hashed:
        _find_hashed(found, sought, keys)
    return {
        server: sorted({k for k in own if _may_be_pinned(k, found)}, key=_preference)
        for server, own in keys.items()
    }


def _may_be_pinned(key: str, found: KnownHosts) -> bool:
    return key not in found.revoked and key.split(maxsplit=1)[0] in TYPES


def _find_hashed(
    found: KnownHosts, sought: Mapping[str, tuple[str, ...]], keys: dict[str, list[str]]
) -> None:
    names = [(name.encode(), server) for server, own in sought.items() for name in own]
    if len(names) * len(found.hashed) > _MOST_COMPARISONS:
        raise Invalid(
            what="known_hosts", why=t("imports.too_many_hashed", entries=len(found.hashed))
        )
    for salt, digest, key in found.hashed:
        for name, server in names:
            if hmac.digest(salt, name, hashlib.sha1) == digest:
                keys.setdefault(server, []).append(key)


def _fits(patterns: Iterable[str], name: str) -> bool:
    """Return whether a name fits a list of patterns; one with `!` excludes it."""
    fits = False
    for pattern in patterns:
        sought = pattern.lower()
        if sought.startswith("!"):
            if fnmatchcase(name, _literal(sought[1:])):
                return False
        elif fnmatchcase(name, _literal(sought)):
            fits = True
    return fits


def _literal(pattern: str) -> str:
    """Return a pattern in which brackets mean themselves."""
    return pattern.replace("[", "[[]")


def _preference(key: str) -> tuple[int, str]:
    return TYPES.index(key.split(maxsplit=1)[0]), key
