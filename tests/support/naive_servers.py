"""Find server names with one regular expression per name: slow, to compare the index with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from guardia.org.directory import Directory, Host

# Between the parts of a name people write a space, a hyphen, a sharp, "_" or nothing.
_GAP = r"[\s\-_#·.]*"
_UNIT = r"\s*(?:호기|호|번기|번)?"
# "…, 2호기" or "…/02": a continuation needs a unit or a leading zero, unlike "오후 1, 2시".
_MORE = re.compile(
    r"\s*(?:,|/|·|&|~|및|와|과|하고|이랑|랑)\s*#?"
    r"(?:0?(?P<unit>\d)\s*(?:호기|번기)|0(?P<zero>\d)(?!\d))"
)
_BARE = re.compile(r"(?<![\w#])0?(\d)\s*호기")
_PIECES = re.compile(r"[A-Za-z]+|\d+|[가-힣]+")
_SPELLINGS = (
    {"와스", "was", "왓스"},
    {"디비", "db", "데이터베이스"},
    {"웹", "web"},
)
_NUMBER_SUFFIX = re.compile(r"(\d+)\D*$")


_Patterns = tuple[tuple[re.Pattern[str], Host], ...]


class _NamePatterns(NamedTuple):
    exact: _Patterns
    """Each names one server."""
    families: _Patterns
    """Each names an institution's servers of one kind."""


class ServerMention(NamedTuple):
    """A server named at `text[start:end]`."""

    server_id: str
    start: int
    end: int


def find_mentions(
    text: str, directory: Directory, words: Mapping[str, tuple[str, ...]]
) -> list[ServerMention]:
    """Return every mention of a server in `text`, in order.

    `words` are the names for each kind of server; with the institution they name a server if only
    one fits.
    """
    patterns = _patterns(directory, _hashable(words))
    found = [
        ServerMention(h.server_id, *m.span()) for p, h in patterns.exact for m in p.finditer(text)
    ]
    chosen = [n for m in _longest(found) for n in _with_siblings(text, m, directory)]
    bare = _bare_numbers(text, chosen, patterns.families, directory)
    return list(_longest([*chosen, *bare]))


def _bare_numbers(
    text: str, mentions: list[ServerMention], families: _Patterns, directory: Directory
) -> Iterator[ServerMention]:
    """Assign a bare number to the family named before: "기재부 와스 2호기는 … 1호기는 …"."""
    hosts = {h.server_id: h for h in directory.servers}
    named_before = [(m.end, hosts[m.server_id]) for m in mentions]
    named_before += [(m.end(), h) for p, h in families for m in p.finditer(text)]
    for match in _BARE.finditer(text):
        before = [(end, host) for end, host in named_before if end <= match.start()]
        if not before:
            continue
        _, host = max(before, key=lambda pair: pair[0])
        sibling = _numbered(directory, host, int(match[1]))
        if sibling:
            yield ServerMention(sibling.server_id, *match.span())


def _longest(found: list[ServerMention]) -> Iterator[ServerMention]:
    """Yield mentions in order; of overlapping ones, the longest."""
    end = -1
    for mention in sorted(found, key=lambda m: (m.start, -m.end)):
        if mention.start >= end:
            end = mention.end
            yield mention


def _with_siblings(
    text: str, mention: ServerMention, directory: Directory
) -> Iterator[ServerMention]:
    """Yield the mention and those that "…, 2호기" adds to it."""
    yield mention
    host = next(h for h in directory.servers if h.server_id == mention.server_id)
    end = mention.end
    while more := _MORE.match(text, end):
        sibling = _numbered(directory, host, int(more["unit"] or more["zero"]))
        if sibling is None:
            return
        yield ServerMention(sibling.server_id, end, more.end())
        end = more.end()


def _numbered(directory: Directory, host: Host, number: int) -> Host | None:
    siblings = (h for h in directory.servers if _family(h) == _family(host))
    return next((h for h in siblings if _number(h) == number), None)


def _family(host: Host) -> tuple[str, str]:
    return host.institution, host.kind


def _number(host: Host) -> int | None:
    match = _NUMBER_SUFFIX.search(host.server_id)
    return int(match[1]) if match else None


def _hashable(words: Mapping[str, tuple[str, ...]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((kind, tuple(names)) for kind, names in sorted(words.items()))


@lru_cache(maxsize=8)
def _patterns(
    directory: Directory, words: tuple[tuple[str, tuple[str, ...]], ...]
) -> _NamePatterns:
    kinds = dict(words)
    exact, families = [], []
    for host in directory.servers:
        kind_names = kinds.get(host.kind, ())
        exact += [(_bounded_pattern(name), host) for name in _names(host, directory, kind_names)]
        families += [
            (_bounded_pattern(name), host) for name in _of_family(host, directory, kind_names)
        ]
    return _NamePatterns(tuple(exact), tuple(families))


def _names(host: Host, directory: Directory, kind_names: tuple[str, ...]) -> Iterator[str]:
    """Yield a regular expression for every name of `host`."""
    yield _loose_pattern(host.server_id)
    for alias in host.aliases:
        for spelled in _institutions(alias, host, directory):
            yield _loose_pattern(spelled)
    siblings = [h for h in directory.servers if _family(h) == _family(host)]
    suffix = "" if len(siblings) == 1 else rf"{_GAP}0?{_number(host)}(?!\d){_UNIT}"
    for name in _of_family(host, directory, kind_names):
        yield f"{name}{suffix}"


def _of_family(host: Host, directory: Directory, kind_names: tuple[str, ...]) -> Iterator[str]:
    """Yield institution and kind: "기재부 와스"."""
    for institution in _institution_names(host, directory):
        for kind_name in kind_names:
            yield rf"{_loose_pattern(institution)}\s*{_loose_pattern(kind_name)}"


def _institutions(alias: str, host: Host, directory: Directory) -> Iterator[str]:
    """Yield the alias with each name of its institution."""
    names = _institution_names(host, directory)
    known = next((n for n in names if alias.startswith(n)), None)
    yield from (n + alias[len(known) :] for n in names) if known else (alias,)


def _institution_names(host: Host, directory: Directory) -> tuple[str, ...]:
    match = next((i for i in directory.institutions if i.id == host.institution), None)
    return (match.name, *match.aliases, match.id) if match else (host.institution,)


def _loose_pattern(name: str) -> str:
    return _GAP.join(_piece_pattern(p) for p in _PIECES.findall(name))


def _piece_pattern(piece: str) -> str:
    if piece.isdigit():
        return rf"0*{int(piece)}(?!\d)"
    lowered = piece.lower()
    group = next((g for g in _SPELLINGS if any(lowered.startswith(s) for s in g)), None)
    if group is None:
        return re.escape(piece)
    word = next(s for s in sorted(group) if lowered.startswith(s))
    rest = re.escape(piece[len(word) :])
    spellings = "|".join(r"\s*".join(w) if w.isalpha() and len(w) > 4 else w for w in sorted(group))
    return f"(?:{spellings}){_GAP}{rest}" if rest else f"(?:{spellings})"


def _bounded_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern that does not match inside a longer foreign word or number."""
    return re.compile(rf"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])", re.IGNORECASE)
