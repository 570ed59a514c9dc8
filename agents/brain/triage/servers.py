"""Find the servers that a text names by id or alias, with any spacing, spelling and numbering."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from guardia.agents.brain.triage.names import Family, FamilyMatch, NameIndex, NameMatch, index_of
from guardia.org.directory import Directory

# "…, 2호기" or "…/02": a continuation needs a unit or a leading zero, unlike "오후 1, 2시".
_MORE = re.compile(
    r"\s*(?:,|/|·|&|~|및|와|과|하고|이랑|랑)\s*#?"
    r"(?:0?(?P<unit>[0-9])\s*(?:호기|번기)|0(?P<zero>[0-9])(?![0-9]))"
)
_BARE = re.compile(r"(?<![\w#])0?([0-9])\s*호기")


class ServerMention(NamedTuple):
    """A server named at `text[start:end]`."""

    server_id: str
    start: int
    end: int


def find_mentions(text: str, directory: Directory) -> list[ServerMention]:
    """Return every mention of a server in `text`, in order.

    `text` is folded (`guardia.text.fold`). The words for a kind of server name one together with
    its institution if only one fits.
    """
    index = index_of(directory)
    names, families = index.servers_in(text)
    chosen = [m for found in _longest_names(names) for m in _with_siblings(text, found, index)]
    bare = _bare_numbers(text, chosen, families, index)
    return list(_longest([*chosen, *bare]))


def _bare_numbers(
    text: str, mentions: list[ServerMention], families: list[FamilyMatch], index: NameIndex
) -> Iterator[ServerMention]:
    """Assign a bare number to the family named before: "기재부 와스 2호기는 … 1호기는 …"."""
    last_named: dict[int, Family] = {}
    for found in sorted(families, key=lambda f: -f.order):
        last_named[found.end] = found.family
    for mention in mentions:
        last_named[mention.end] = index.family_of(index.hosts[mention.server_id])
    ends = sorted(last_named)
    for match in _BARE.finditer(text):
        before = bisect_right(ends, match.start())
        sibling = last_named[ends[before - 1]].numbered(int(match[1])) if before else None
        if sibling is not None:
            yield ServerMention(sibling.server_id, *match.span())


def _longest_names(found: list[NameMatch]) -> Iterator[NameMatch]:
    """Yield names in order; of overlapping ones, the longest."""
    end = -1
    for name in sorted(found, key=lambda n: (n.start, -n.end, n.order)):
        if name.start >= end:
            end = name.end
            yield name


def _longest(found: list[ServerMention]) -> Iterator[ServerMention]:
    """Yield mentions in order; of overlapping ones, the longest."""
    end = -1
    for mention in sorted(found, key=lambda m: (m.start, -m.end)):
        if mention.start >= end:
            end = mention.end
            yield mention


def _with_siblings(text: str, name: NameMatch, index: NameIndex) -> Iterator[ServerMention]:
    """Yield the mention of a name and those that "…, 2호기" adds to it."""
    host, end = index.servers[name.order], name.end
    yield ServerMention(host.server_id, name.start, end)
    while more := _MORE.match(text, end):
        sibling = index.family_of(host).numbered(int(more["unit"] or more["zero"]))
        if sibling is None:
            return
        yield ServerMention(sibling.server_id, end, more.end())
        end = more.end()
