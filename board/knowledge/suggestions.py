"""Read rules and facts about servers out of passages: proposals that only people accept. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from guardia.board.knowledge.stated_facts import read_fact
from guardia.board.knowledge.stated_periods import read_periods
from guardia.org.directory import Host

_MOST = 50
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
_FROZEN = re.compile("기간|매월|매주|매년|월말|말일|마감|결산|동결|freeze", re.IGNORECASE)
_PATH = re.compile(r"(?<![\w:/.])/[\w.-]*\w(?:/[\w.-]*\w)*", re.ASCII)
_SERVER = re.compile(r"(?<![\w-])[A-Za-z0-9]+(?:-[A-Za-z0-9]+)+(?![\w-])", re.ASCII)


@dataclass(frozen=True, slots=True)
class StatedSentence:
    """A rule or a fact that a sentence states."""

    kind: str
    """`never`, `freeze` or `fact`."""
    sentence: str
    ordinal: int
    """The passage with the sentence."""
    fields: Mapping[str, str]
    """Fields of a rule; server, service, field and value of a fact."""

    @property
    def digest(self) -> str:
        """Identify what is stated: kind, place and words, without spaces and marks."""
        place = self.fields.get("server") or self.fields.get("institution") or ""
        words = re.sub(r"[\W_]+", "", self.sentence).casefold()
        return hashlib.sha256(f"{self.kind}\n{place}\n{words}".encode()).hexdigest()


def servers_in(texts: Iterable[str]) -> set[str]:
    """Return what may be names of servers."""
    return {found.upper() for text in texts for found in _SERVER.findall(text)}


def suggestions(
    passages: Iterable[tuple[int, str]],
    institution: str,
    server: str,
    servers: Mapping[str, Host],
) -> tuple[StatedSentence, ...]:
    """Return the rules and facts that passages state; `servers` are those that exist."""
    found: dict[str, StatedSentence] = {}
    for ordinal, text in passages:
        for sentence in _sentences(text):
            one = _read(sentence, ordinal, institution, server, servers)
            if one is not None:
                found.setdefault(one.digest, one)
        if len(found) >= _MOST:
            break
    return tuple(found.values())[:_MOST]


def _read(
    sentence: str, ordinal: int, institution: str, server: str, servers: Mapping[str, Host]
) -> StatedSentence | None:
    named = sorted({one.upper() for one in _SERVER.findall(sentence)} & servers.keys())
    if _FORBIDDEN.search(sentence):
        fields = _rule_of(sentence)
        if not fields:
            return None
        place = {"server": named[0] if len(named) == 1 else server}
        if not place["server"]:
            place = {"institution": institution}
        given = {name: value for name, value in {**fields, **place}.items() if value}
        return StatedSentence(fields["kind"], sentence, ordinal, given)
    about = named[0] if len(named) == 1 else server if not named else ""
    fact = read_fact(_SERVER.sub("", sentence), servers[about]) if about in servers else None
    return StatedSentence("fact", sentence, ordinal, fact) if fact else None


def _rule_of(sentence: str) -> dict[str, str]:
    """Return the fields of the rule that a sentence states; empty if it is none."""
    paths = _PATH.findall(sentence)
    if paths and _TOUCHED.search(sentence):
        return {"kind": "never", "paths": "\n".join(paths)}
    actions = [name for words, name in _ACTIONS if words.search(sentence)]
    if _FROZEN.search(sentence):
        periods = "\n".join(read_periods(sentence))
        return {"kind": "freeze", "actions": "\n".join(actions), "periods": periods}
    return {"kind": "never", "actions": "\n".join(actions)} if actions else {}


def _sentences(text: str) -> Iterator[str]:
    for found in _SENTENCE.findall(text):
        sentence = " ".join(found.strip(" -*|>#\t").split())
        if 5 < len(sentence) <= _MOST_SENTENCE:
            yield sentence
