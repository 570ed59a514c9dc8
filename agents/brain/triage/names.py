"""Index over the names of a directory: finding names costs the text's length, not the directory's.

A name is a sequence of words (Latin, digits, Hangul); between words people write a space, a hyphen,
a sharp, "_" or nothing. The index is a tree of words, built once per directory. Hangul and Latin
names may be part of a longer Hangul word, so words are looked up at every position.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock
from typing import NamedTuple

from guardia.agents.brain.triage.lexicon import lexicon
from guardia.org.directory import Directory, Host, InstitutionInfo
from guardia.text import fold

_GAP = re.compile(r"[\s\-_#·.]*")
_BLANKS = re.compile(r"\s*")
_UNITS = ("호기", "호", "번기", "번")
_DIGITS = re.compile(r"[0-9]+")
_PIECES = re.compile(r"[a-z]+|[0-9]+|[가-힣]+")
_NUMBER_SUFFIX = re.compile(r"([0-9]+)[^0-9]*$")
_ASCII_WORD = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_SPELLINGS = (("와스", "was", "왓스"), ("디비", "db", "데이터베이스"), ("웹", "web"))
# People also write it with blanks.
_LONG_SPELLING = ("데", re.compile(r"데\s*이\s*터\s*베\s*이\s*스"), "데이터베이스")


class _Word(NamedTuple):
    """A word of a name, with the other ways to write it."""

    spellings: tuple[str, ...]


@dataclass(slots=True)
class _Node:
    """Where a sequence of words leads."""

    next: dict[str, _Node] = field(default_factory=dict)
    lengths: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Lengths of the next words by their first character; 0 marks a number."""
    server: int | None = None
    """Position in the directory of the first server of this name."""
    owners: tuple[str, ...] = ()
    """Institutions of this name."""

    def child(self, word: _Word) -> _Node:
        """Return where `word` leads, which is the same for all its spellings."""
        found = self.next.get(word.spellings[0]) or _Node()
        for spelled in word.spellings:
            if spelled not in self.next:
                self.next[spelled] = found
                known = {*self.lengths.get(spelled[0], ()), len(spelled)}
                self.lengths[spelled[0]] = tuple(sorted(known))
        return found


@dataclass(slots=True)
class Family:
    """An institution's servers of one kind, in the directory's order."""

    order: int
    hosts: list[Host] = field(default_factory=list)
    by_number: dict[str, tuple[int, Host]] = field(default_factory=dict)

    def numbered(self, number: int) -> Host | None:
        """Return the server of that number."""
        found = self.by_number.get(str(number))
        return found[1] if found else None


class NameMatch(NamedTuple):
    """A server's name at `text[start:end]`; of names at one place, the lowest `order` counts."""

    start: int
    end: int
    order: int


class FamilyMatch(NamedTuple):
    """An institution and a kind, up to `text[:end]`."""

    end: int
    order: int
    family: Family


class NameIndex:
    """The names of one directory. `kind_words` are the words for each kind of server."""

    def __init__(self, directory: Directory, kind_words: Mapping[str, tuple[str, ...]]) -> None:
        self.servers = directory.servers
        self.hosts = {h.server_id: h for h in directory.servers}
        self.institutions = {i.id: i for i in directory.institutions}
        self.kinds = frozenset(h.kind for h in directory.servers)
        self.families: dict[tuple[str, str], Family] = {}
        self.by_institution: dict[str, list[Host]] = {}
        self._kind_words = _kind_tree(tuple((k, tuple(w)) for k, w in sorted(kind_words.items())))
        self._root = _Node()
        self._spoken = _Substrings()
        self._mentioned = _Substrings()
        for order, host in enumerate(directory.servers):
            self._add_server(order, host)
        for institution in directory.institutions:
            self._add_institution(institution)
        for owner in self.by_institution.keys() - self.institutions.keys():
            self._add_owner(owner, owner)

    def family_of(self, host: Host) -> Family:
        """Return the servers of the same institution and kind."""
        return self.families[host.institution, host.kind]

    def servers_in(self, text: str) -> tuple[list[NameMatch], list[FamilyMatch]]:
        """Return every name of a server in `text`, and every institution with a kind."""
        lowered = lower(text)
        names: list[NameMatch] = []
        families: list[FamilyMatch] = []
        for start in range(len(lowered)):
            first = lowered[start]
            known = first in self._root.lengths or "0" <= first <= "9"
            if known and not _inside_word(lowered, start):
                self._walk(lowered, start, names, families)
        return names, families

    def institution_in(self, text: str) -> str | None:
        """Return the institution whose name or alias comes first in `text`."""
        found = next(self._spoken.find(lower(text)), None)
        return min(found[1]) if found else None

    def institutions_in(self, text: str) -> set[str]:
        """Return the institutions that `text` names, in any spacing, by id as well."""
        compact = _compact(text)
        return {owner for _, owners in self._mentioned.find(compact) for owner in owners}

    def _add_server(self, order: int, host: Host) -> None:
        family = self.families.setdefault((host.institution, host.kind), Family(order))
        family.hosts.append(host)
        family.by_number.setdefault(number_of(host), (order, host))
        self.by_institution.setdefault(host.institution, []).append(host)
        for name in self._names(host):
            node = self._end_of(name)
            if node is not self._root and node.server is None:
                node.server = order

    def _names(self, host: Host) -> Iterator[str]:
        """Yield the id, and each alias with each name of its institution."""
        yield host.server_id
        owner = self.institutions.get(host.institution)
        given = (owner.name, *owner.aliases, owner.id) if owner else (host.institution,)
        names = tuple(map(fold, given))
        for alias in map(fold, host.aliases):
            known = next((n for n in names if alias.startswith(n)), None)
            yield from (n + alias[len(known) :] for n in names) if known else (alias,)

    def _add_institution(self, institution: InstitutionInfo) -> None:
        for name in (institution.name, *institution.aliases, institution.id):
            self._add_owner(name, institution.id)
            self._mentioned.add(_compact(name), institution.id)
        for name in (institution.name, *institution.aliases):
            self._spoken.add(lower(name), institution.id)

    def _add_owner(self, name: str, owner: str) -> None:
        node = self._end_of(name)
        if owner not in node.owners:
            node.owners = (*node.owners, owner)

    def _end_of(self, name: str) -> _Node:
        node = self._root
        for word in _words(name):
            node = node.child(word)
        return node

    def _walk(
        self, text: str, start: int, names: list[NameMatch], families: list[FamilyMatch]
    ) -> None:
        """Collect what begins at `start`. One word of a text rarely leads to two places."""
        ends = [(self._root, start)]
        while ends:
            node, end = ends.pop()
            for following, after in _next_words(node, text, end, first=node is self._root):
                if following.server is not None and not _continues(text, after):
                    names.append(NameMatch(start, after, following.server))
                for owner in following.owners:
                    self._walk_kinds(text, start, after, owner, names, families)
                if following.next:
                    ends.append((following, after))

    def _walk_kinds(
        self,
        text: str,
        start: int,
        end: int,
        owner: str,
        names: list[NameMatch],
        families: list[FamilyMatch],
    ) -> None:
        """Collect the kinds that follow an institution's name, with a number or alone."""
        ends = [(self._kind_words, _skip(_BLANKS, text, end))]
        while ends:
            node, position = ends.pop()
            for following, after in _next_words(
                node, text, position, first=node is self._kind_words
            ):
                for kind in following.owners:
                    if family := self.families.get((owner, kind)):
                        _collect_family(text, start, after, family, names, families)
                if following.next:
                    ends.append((following, after))


def _collect_family(
    text: str,
    start: int,
    end: int,
    family: Family,
    names: list[NameMatch],
    families: list[FamilyMatch],
) -> None:
    if not _continues(text, end):
        families.append(FamilyMatch(end, family.order, family))
        if len(family.hosts) == 1:
            names.append(NameMatch(start, end, family.order))
    if len(family.hosts) == 1:
        return
    digits = _DIGITS.match(text, _skip(_GAP, text, end))
    found = digits and family.by_number.get(digits[0].removeprefix("0") or "0")
    if not digits or not found:
        return
    after = _end_of_number(text, digits.end())
    if not _continues(text, after):
        names.append(NameMatch(start, after, found[0]))


def _end_of_number(text: str, end: int) -> int:
    """Return where a number with its unit ends: "1호기", or the blanks after it."""
    blanks = _skip(_BLANKS, text, end)
    for unit in _UNITS:
        if text.startswith(unit, blanks) and not _continues(text, blanks + len(unit)):
            return blanks + len(unit)
    return blanks - (blanks > end and _continues(text, blanks))


class _Substrings:
    """Texts with a value each, found as parts of a longer text."""

    def __init__(self) -> None:
        self._values: dict[str, list[str]] = {}
        self._lengths: dict[str, list[int]] = {}

    def add(self, part: str, value: str) -> None:
        """Add a text; an empty one is never found."""
        if not part:
            return
        self._values.setdefault(part, []).append(value)
        lengths = self._lengths.setdefault(part[0], [])
        if len(part) not in lengths:
            lengths.append(len(part))

    def find(self, text: str) -> Iterator[tuple[int, list[str]]]:
        """Yield the values by position."""
        for start, character in enumerate(text):
            found = [
                value
                for length in self._lengths.get(character, ())
                # At the end of the text, a longer length would find a shorter part again.
                if start + length <= len(text)
                for value in self._values.get(text[start : start + length], ())
            ]
            if found:
                yield start, found


def lower(text: str) -> str:
    """Return `text` folded and in lower case; folded text keeps each character at its place."""
    return "".join(c if len(low := c.lower()) != 1 else low for c in fold(text))


def _compact(text: str) -> str:
    return "".join(lower(text).split())


def number_of(host: Host) -> str:
    """Return the number at the end of a server's id without leading zeros; empty if none."""
    match = _NUMBER_SUFFIX.search(host.server_id)
    return (match[1].lstrip("0") or "0") if match else ""


def _words(name: str) -> Iterator[_Word]:
    for piece in _PIECES.findall(lower(name)):
        if piece[0].isdigit():
            yield _Word((piece.lstrip("0") or "0",))
            continue
        group = next((g for g in _SPELLINGS if piece.startswith(g)), None)
        if group is None:
            yield _Word((piece,))
            continue
        yield _Word(group)
        spelled = next(s for s in sorted(group) if piece.startswith(s))
        if rest := piece[len(spelled) :]:
            yield _Word((rest,))


def _next_words(node: _Node, text: str, end: int, *, first: bool) -> Iterator[tuple[_Node, int]]:
    """Yield the words of the tree that follow at `end`, after a gap if it is not the first."""
    begin = end if first else _skip(_GAP, text, end)
    if begin >= len(text):
        return
    character = text[begin]
    if "0" <= character <= "9":
        digits = _DIGITS.match(text, begin)
        assert digits is not None
        number = digits[0].lstrip("0") or "0"
        if found := node.next.get(number):
            yield found, digits.end()
        return
    for length in node.lengths.get(character, ()):
        end = begin + length
        if end <= len(text) and (found := node.next.get(text[begin:end])):
            yield found, end
    letter, spelled, name = _LONG_SPELLING
    match = spelled.match(text, begin) if character == letter and name in node.next else None
    if match and match.end() - begin != len(name):
        yield node.next[name], match.end()


def _skip(pattern: re.Pattern[str], text: str, begin: int) -> int:
    match = pattern.match(text, begin)
    return match.end() if match else begin


def _inside_word(text: str, start: int) -> bool:
    return start > 0 and text[start - 1] in _ASCII_WORD


def _continues(text: str, end: int) -> bool:
    return end < len(text) and text[end] in _ASCII_WORD


@lru_cache(maxsize=8)
def _kind_tree(kinds: tuple[tuple[str, tuple[str, ...]], ...]) -> _Node:
    """Return the tree of the words for kinds of servers, with the kinds at their ends."""
    root = _Node()
    for kind, words in kinds:
        for name in words:
            node = root
            for word in _words(name):
                node = node.child(word)
            node.owners = (*node.owners, kind)
    return root


_indexes: dict[int, tuple[weakref.ref[Directory], NameIndex]] = {}
_lock = Lock()


def index_of(directory: Directory) -> NameIndex:
    """Return the index of a directory, built on first use and kept as long as the directory."""
    known = _indexes.get(id(directory))
    if known is not None and known[0]() is directory:
        return known[1]
    with _lock:
        known = _indexes.get(id(directory))
        if known is None or known[0]() is not directory:
            key = id(directory)
            forget = weakref.ref(directory, lambda ref: _forget(key, ref))
            known = _indexes[key] = forget, NameIndex(directory, lexicon().servers)
    return known[1]


def _forget(key: int, ref: weakref.ref[Directory]) -> None:
    if key in _indexes and _indexes[key][0] is ref:
        del _indexes[key]
