"""Whether our own mail server has proved the address of a sender (RFC 8601)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(r"(?<![^\s])([\w./-]{1,60})\s*=\s*([^\s;]{1,400})")

_REGISTRY = re.compile(r"(ac|co|com|go|mil|ne|net|or|org|pe|re)\.[a-z]{2}")
"""Domains below which everybody registers names of their own."""


@dataclass(frozen=True, slots=True)
class TrustedServer:
    """The server of the site whose results are believed."""

    name: str
    """Its name in the results (`authserv-id`); empty: none is believed."""
    own_hops: int
    """`Received` lines that the site's own servers write."""


@dataclass(frozen=True, slots=True)
class _Result:
    method: str
    value: str
    properties: dict[str, str]


def is_proved(address: str, fields: tuple[str, ...], trusted: TrustedServer) -> bool:
    """Return whether the trusted server says that a mail came from the domain of `address`.

    `fields` are those of `natures.results_of_own_servers`. Only the newest of the trusted server
    counts, and only above the lines of our own servers: those below were written by the sender.
    """
    domain = address.rpartition("@")[2].lower()
    if not domain or not trusted.name:
        return False
    for field in fields:
        above, _, text = field.partition(" ")
        server, results = _parse(text)
        if server == trusted.name.lower():
            return int(above) < trusted.own_hops and any(_proves(r, domain) for r in results)
    return False


def _proves(result: _Result, domain: str) -> bool:
    if result.value != "pass":
        return False
    if result.method == "dmarc":
        return result.properties.get("header.from", "") == domain
    if result.method == "dkim":
        signer = result.properties.get("header.d") or _domain(result.properties.get("header.i", ""))
        return _covers(signer, domain)
    if result.method == "spf":
        return _covers(_domain(result.properties.get("smtp.mailfrom", "")), domain)
    return result.method == "auth" and _domain(result.properties.get("smtp.auth", "")) == domain


def _covers(proved: str, domain: str) -> bool:
    """Return whether the owner of a domain also decides about `domain`."""
    if domain == proved:
        return True
    return "." in proved and not _REGISTRY.fullmatch(proved) and domain.endswith(f".{proved}")


def _domain(text: str) -> str:
    return text.rpartition("@")[2].strip("<>").lower()


def _parse(text: str) -> tuple[str, list[_Result]]:
    """Return the server's name and its results."""
    first, *others = _without_foreign_text(text).split(";")
    server = (first.split() or [""])[0].lower()
    results = []
    for other in others:
        pairs = [(m[1].lower(), m[2].lower()) for m in _TOKEN.finditer(other)]
        if pairs:
            method, value = pairs[0]
            # Of a property that is given twice, the first counts.
            results.append(_Result(method.partition("/")[0], value, dict(reversed(pairs[1:]))))
    return server, results


def _without_foreign_text(text: str) -> str:
    """Return a field without comments, and without separators in quoted texts.

    Senders choose what is in them. They may be nested, or not closed.
    """
    kept, depth, quoted = [], 0, False
    for character in text:
        if character == '"' and not depth:
            quoted = not quoted
        elif quoted:
            kept.append(character if character.isalnum() or character in "._@+-" else "_")
        elif character == "(":
            depth += 1
        elif character == ")":
            depth = max(0, depth - 1)
        elif not depth:
            kept.append(character)
    return "".join(kept)
