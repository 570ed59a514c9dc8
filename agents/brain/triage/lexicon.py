"""Lexicon of the field: patterns over morphemes, read from `vocabulary/*.yaml`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from guardia.knowledge.korean import Morpheme, canonical

_JOINED = 5
"""Maximum number of adjacent morphemes that spell one word of a pattern."""
_LIGHT_REACH = 4
_WIDE_REACH = 8
_LIGHT_TAGS = ("J", "E", "MA", "X", "S", "V", "Z_CODA")
_NEGATIONS = frozenset(["안", "못"])
_NAME_TYPES = {
    "<code>": re.compile(r"(?:ora|tns|pls|rman|err|error|sql|bea|jeus|ajp|http)[-_][\w-]+"),
    "<version>": re.compile(r"v?\d+(?:\.\d+){1,3}"),
    "<package>": re.compile(r"[\w.-]+\.(?:war|jar|ear|zip|tar|gz|html|jsp|js|rpm)"),
    "<oracle>": re.compile(r"(?:ora|tns|pls|rman)-\d+"),
    "<etc>": re.compile(r"/etc/[\w./-]+"),
    "<path>": re.compile(r"/[\w./-]+"),
}
_ENDINGS = {"으면": "면", "은": "ᆫ", "을": "ᆯ", "습니다": "ᆸ니다", "으려면": "려면", "으시": "시"}


class PatternWord(NamedTuple):
    """One word of a pattern."""

    spellings: Mapping[str, str]
    """Its spellings, each with the required prefix of the tag, or ""."""
    wide: bool
    """Whether other words may precede it."""


Spelled = Sequence[Sequence[tuple[str, int]]]
"""By position: each spelling of the next morphemes, and where it ends."""


@dataclass(frozen=True, slots=True)
class LexiconPattern:
    """A sequence of words that expresses `concept`."""

    concept: str
    words: tuple[PatternWord, ...]
    source: str


class PatternMatch(NamedTuple):
    """A pattern found in `items[begin:end]`."""

    pattern: LexiconPattern
    begin: int
    end: int


@dataclass(frozen=True)
class Lexicon:
    """All patterns by their first morphemes, and the other word lists."""

    patterns: dict[str, tuple[LexiconPattern, ...]]
    work: dict[str, tuple[LexiconPattern, ...]]
    """Those of requested work that have more than one word."""
    categories: dict[str, str]
    """Action type -> the category of a request for it."""
    weights: dict[str, int]
    """Topic concept -> its weight."""
    lists: dict[str, frozenset[str]]
    """Word lists by the rule that uses them."""
    servers: dict[str, tuple[str, ...]]
    injection_patterns: tuple[re.Pattern[str], ...]

    def matches(self, items: Sequence[Morpheme], words: Spelled) -> Iterator[PatternMatch]:
        """Yield every match of a pattern in `items`; `words` is what they spell."""
        return _matches(self.patterns, items, words, len(items))

    def work_across(
        self, items: Sequence[Morpheme], words: Spelled, border: int
    ) -> Iterator[PatternMatch]:
        """Yield the matches of work that begin before `border` and end after it."""
        found = _matches(self.work, items, words, border)
        return (match for match in found if match.end > border)


def spell(items: Sequence[Morpheme]) -> Spelled:
    """Return what the morphemes spell from each position on."""
    return [list(_spellings(items, begin)) for begin in range(len(items))]


def _matches(
    patterns: Mapping[str, tuple[LexiconPattern, ...]],
    items: Sequence[Morpheme],
    words: Spelled,
    stop: int,
) -> Iterator[PatternMatch]:
    """Yield the matches that begin before `stop`."""
    for begin in range(stop):
        for spelled, end in words[begin]:
            for pattern in patterns.get(spelled, ()):
                if _tagged(items[begin], pattern.words[0].spellings[spelled]):
                    last = _match_rest(items, words, end, pattern.words[1:])
                    if last:
                        yield PatternMatch(pattern, begin, last)


def _tagged(item: Morpheme, tag: str) -> bool:
    if tag:
        return item.tag.startswith(tag)
    return item.tag[0] not in "JE"


def _spellings(items: Sequence[Morpheme], begin: int) -> Iterator[tuple[str, int]]:
    """Yield what the morphemes from `begin` spell, and where that ends."""
    raw = folded = ""
    for end in range(begin, min(begin + _JOINED, len(items))):
        form, tag = items[end].form, items[end].tag
        form = _ENDINGS.get(form, form) if tag[0] == "E" else form
        raw, folded = raw + form, folded + canonical(form)
        spelled = {canonical(raw), folded, raw}
        if end == begin and tag == "SL":
            spelled |= _name_types(form)
        if tag[0] == "V" and len(form) > 1 and form[-1] in "하되":
            spelled.add(raw[:-1])
        for one in spelled:
            yield one, end + 1


def _name_types(form: str) -> set[str]:
    """Return the types of name that a foreign word is: patterns write `<version>`."""
    return {name_type for name_type, pattern in _NAME_TYPES.items() if pattern.fullmatch(form)}


def _match_rest(
    items: Sequence[Morpheme],
    spelled_at: Spelled,
    begin: int,
    words: tuple[PatternWord, ...],
) -> int:
    """Return where the remaining words end, or 0 if they do not follow."""
    if not words:
        return begin
    word, others = words[0], words[1:]
    reach = _WIDE_REACH if word.wide else _LIGHT_REACH
    for start in range(begin, min(begin + reach + 1, len(items))):
        for spelled, end in spelled_at[start]:
            tag = word.spellings.get(spelled)
            fits = tag is not None and _tagged(items[start], tag)
            if fits and (last := _match_rest(items, spelled_at, end, others)):
                return last
        if not word.wide and not _is_light(items[start]):
            return 0
    return 0


def _is_light(item: Morpheme) -> bool:
    """Return whether it may be skipped between two words of a pattern."""
    if item.form in _NEGATIONS or item.tag == "SF":
        return False
    if item.tag[0] == "V":
        return item.tag == "VX" or item.form in ("하", "되")
    return item.tag.startswith(_LIGHT_TAGS)


@cache
def lexicon() -> Lexicon:
    """Return the shipped lexicon."""
    data = _data()
    patterns: dict[str, list[LexiconPattern]] = {}
    weights: dict[str, int] = {}
    for concept, sources in _concepts(data):
        if concept.startswith("topic."):
            weights[concept] = int(concept.rsplit(".", 1)[1])
        for pattern in _patterns(concept, sources, data["macros"]):
            for spelling in pattern.words[0].spellings:
                patterns.setdefault(spelling, []).append(pattern)
    work = {
        first: tuple(p for p in group if p.concept.startswith("action.") and len(p.words) > 1)
        for first, group in patterns.items()
    }
    return Lexicon(
        patterns={first: tuple(group) for first, group in patterns.items()},
        work={first: group for first, group in work.items() if group},
        categories={a: v["category"] for a, v in data["actions"].items() if "category" in v},
        weights=weights,
        lists={name: frozenset(str(w).split()) for name, w in data["lists"].items()},
        servers={kind: tuple(words) for kind, words in data["servers"].items()},
        injection_patterns=tuple(
            re.compile(s, re.IGNORECASE | re.MULTILINE) for s in data["injections"]
        ),
    )


def _data() -> dict[str, Any]:
    """Merge all files of the lexicon, with their `concepts` in one mapping."""
    merged: dict[str, Any] = {"concepts": {}}
    folder = files("guardia.agents.brain.triage") / "vocabulary"
    for name in ("symptoms", "times", "asks", "actions", "topics", "names"):
        part = YAML(typ="safe", pure=True).load((folder / f"{name}.yaml").read_text("utf-8"))
        merged["concepts"].update(part.pop("concepts", {}))
        merged.update(part)
    return merged


def _concepts(data: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    yield from data["concepts"].items()
    for action, entry in data["actions"].items():
        yield f"action.{action}", entry["words"]
        yield f"short.{action}", entry.get("short", [])
    for category, groups in data["topics"].items():
        for weight, sources in groups.items():
            yield f"topic.{category}.{weight}", sources


def _patterns(
    concept: str, sources: list[str], macros: dict[str, list[str]]
) -> Iterator[LexiconPattern]:
    for source in sources:
        for row in _expanded(str(source), macros):
            yield LexiconPattern(concept, tuple(_words(row)), str(source))


def _expanded(source: str, macros: dict[str, list[str]]) -> Iterator[str]:
    """Yield the sequences that `source` expands to, its macros replaced."""
    name = re.search(r"\{(\w+)\}", source)
    if name is None:
        yield source
        return
    for chosen in macros[name[1]]:
        yield from _expanded(source.replace(name[0], str(chosen), 1), macros)


def _words(row: str) -> Iterator[PatternWord]:
    wide = False
    for part in row.split():
        if part == "~":
            wide = True
            continue
        yield PatternWord(dict(_spelling(a) for a in part.split("|")), wide)
        wide = False


def _spelling(alternative: str) -> tuple[str, str]:
    spelled, _, tag = alternative.lower().partition("/")
    if spelled in _NEGATIONS:
        return spelled, tag.upper() or "MA"
    folded = _ENDINGS.get(spelled, spelled) if tag == "e" else canonical(spelled)
    return folded, tag.upper()
