"""Resolve "모든", "전체" and "각" to the servers of the named institutions and kinds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from guardia.agents.brain.triage.names import index_of
from guardia.org.directory import Directory, Host

_ALL = r"(?:모든|전체|전부|모두|각각|각|온)"
_AND = r"(?:와|과|랑|이랑|하고|및|,|·|/)"
_SERVERS = r"(?:서버|시스템|장비|호스트)"


@dataclass(frozen=True, slots=True)
class FanOut:
    """The servers that a quantifier means."""

    hosts: tuple[Host, ...]
    words: str
    """The words of the text."""


def fan_out(
    text: str,
    directory: Directory,
    kind_words: Mapping[str, tuple[str, ...]],
    institution: str | None = None,
) -> FanOut | None:
    """Return the servers of a text that means all of them, or `None` if it does not.

    `kind_words` are the words for each kind of server. `institution` is the one of the surrounding
    text, for texts that name none themselves.
    """
    index = index_of(directory)
    kinds = {kind: any_of_pattern(words) for kind, words in kind_words.items()}
    spoken = (index.institutions[name] for name in sorted(index.institutions_in(text)))
    named = {i.id: any_of_pattern((i.name, *i.aliases, i.id)) for i in spoken}
    match = _quantified(text, [*kinds.values()], [*named.values()])
    if match is None:
        return None
    # What the quantifier itself names: "WAS-01과 모든 DB 서버" does not mean all of both.
    around = {institution} if institution else set()
    owners = _mentioned(named, match) or _mentioned(named, text) or around
    asked_kinds = _mentioned(kinds, match) or _mentioned(kinds, text)
    owned = (h for owner in sorted(owners) for h in index.by_institution.get(owner, ()))
    hosts = tuple(
        host
        for host in (owned if owners else directory.servers)
        if not asked_kinds or host.kind in asked_kinds
    )
    return FanOut(hosts, " ".join(match.split()))


def _mentioned(patterns: Mapping[str, str], text: str) -> set[str]:
    return {name for name, pattern in patterns.items() if re.search(pattern, text, re.IGNORECASE)}


def _quantified(text: str, kinds: list[str], institutions: list[str]) -> str | None:
    """Return the words that mean all: "모든 기재부 WAS", "기재부 서버 전체", "각 기관"."""
    owners = "|".join([*institutions, "기관"])
    thing = rf"(?:{'|'.join([_SERVERS, *kinds])})(?:\s*{_SERVERS})?"
    things = rf"{thing}(?:\s*{_AND}\s*{thing})*"
    forms = (
        rf"{_ALL}\s*(?:(?:{owners})의?\s*)?(?:\S{{1,6}}\s+)?{things}",
        rf"(?:^|\s)전\s*(?:{_SERVERS}|기관)",
        rf"{_ALL}\s*(?:{owners})",
        rf"(?:{owners})의?\s*{_ALL}",
        rf"{things}(?:들)?(?:을|를|의)?\s*{_ALL}",
    )
    for form in forms:
        if found := re.search(form, text, re.IGNORECASE):
            return found[0].strip()
    return None


def any_of_pattern(words: tuple[str, ...]) -> str:
    """Build a regular expression of these words with any spacing, the longest first."""
    longest = sorted(set(words), key=lambda w: (-len(w), w))
    return "(?:" + "|".join(r"\s*".join(map(re.escape, w)) for w in longest) + ")"
