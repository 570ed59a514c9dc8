"""Read rules and facts about servers out of passages: proposals that only people accept. Pure.

Nothing is applied: a proposal is a filled form, with the sentence that it comes from.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

_MOST = 20
_MOST_SENTENCE = 300
_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?](?!\s|$)[^.!?\n]*)*[.!?]?")
_FORBIDDEN = re.compile(
    "금지|(?:하지|해서는|하면|건드리지|삭제하지|변경하지) *(?:않|안|말|마)|불가|절대"
    "|must not|never|do not|prohibited",
    re.IGNORECASE,
)
_ACTIONS = (
    (re.compile("재기동|재시작|restart", re.IGNORECASE), "service.restart"),
    (re.compile("배포|deploy", re.IGNORECASE), "deploy.*"),
)
_TOUCHED = re.compile("삭제|변경|수정|지우|건드리|delete|change|touch", re.IGNORECASE)
_FROZEN = re.compile("기간|매월|매주|월말|말일|마감|결산|동결|freeze", re.IGNORECASE)
_PATH = re.compile(r"(?<![\w:/.])/[\w.-]*\w(?:/[\w.-]*\w)*", re.ASCII)
_SERVER = re.compile(r"(?<![\w-])[A-Za-z0-9]+(?:-[A-Za-z0-9]+)+(?![\w-])", re.ASCII)
_FACT = re.compile("포트|port|버전|version|설치|경로|용도|별칭|이중화|운영체제|주소", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class StatedSentence:
    """A rule or a fact that a sentence states."""

    kind: str
    """`never`, `freeze` or `fact`."""
    sentence: str
    ordinal: int
    """The passage with the sentence."""
    path: str
    """The form with what was read; a person completes and saves it."""


def servers_in(texts: Iterable[str]) -> set[str]:
    """Return what may be names of servers."""
    return {found.upper() for text in texts for found in _SERVER.findall(text)}


def suggestions(
    passages: Iterable[tuple[int, str]],
    institution: str,
    server: str,
    servers: Collection[str],
) -> tuple[StatedSentence, ...]:
    """Return the rules and facts that passages state; `servers` are those that exist."""
    found: dict[str, StatedSentence] = {}
    for ordinal, text in passages:
        for sentence in _sentences(text):
            for one in _read(sentence, ordinal, institution, server, servers):
                found.setdefault(one.sentence, one)
    return tuple(found.values())[:_MOST]


def _read(
    sentence: str, ordinal: int, institution: str, server: str, servers: Collection[str]
) -> Iterator[StatedSentence]:
    named = sorted({one.upper() for one in _SERVER.findall(sentence)} & set(servers))
    if _FORBIDDEN.search(sentence):
        fields = _rule_of(sentence)
        if fields:
            place = {"server": named[0] if named else server}
            if not place["server"]:
                place = {"institution": institution}
            given = {**fields, **place, "sentence": sentence}
            query = urlencode({name: value for name, value in given.items() if value})
            yield StatedSentence(fields["kind"], sentence, ordinal, f"/rules/new?{query}")
    elif named and _FACT.search(sentence) and re.search(r"\d|/", _SERVER.sub("", sentence)):
        yield StatedSentence("fact", sentence, ordinal, f"/servers/{named[0]}")


def _rule_of(sentence: str) -> dict[str, str]:
    """Return the fields of the rule that a sentence states; empty if it is none."""
    paths = _PATH.findall(sentence)
    if paths and _TOUCHED.search(sentence):
        return {"kind": "never", "paths": "\n".join(paths)}
    actions = [name for words, name in _ACTIONS if words.search(sentence)]
    if _FROZEN.search(sentence):
        return {"kind": "freeze", "actions": "\n".join(actions)}
    return {"kind": "never", "actions": "\n".join(actions)} if actions else {}


def _sentences(text: str) -> Iterator[str]:
    for found in _SENTENCE.findall(text):
        sentence = " ".join(found.strip(" -*|>#\t").split())
        if 5 < len(sentence) <= _MOST_SENTENCE:
            yield sentence
