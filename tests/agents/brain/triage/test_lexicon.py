"""The pattern language of the lexicon, and that every line of it can match."""

from __future__ import annotations

import pytest

from guardia.agents.brain.triage.lexicon import LexiconPattern, _patterns, lexicon, spell
from guardia.knowledge.korean import morphemes


def found(source: str, text: str, macros: dict[str, list[str]] | None = None) -> bool:
    """Return whether a pattern alone is found in `text`."""
    from dataclasses import replace

    by_first: dict[str, list[LexiconPattern]] = {}
    for pattern in _patterns("test", [source], macros or {}):
        for spelling in pattern.words[0].spellings:
            by_first.setdefault(spelling, []).append(pattern)
    alone = replace(lexicon(), patterns={k: tuple(v) for k, v in by_first.items()})
    items = morphemes(text)
    return any(True for _ in alone.matches(items, spell(items)))


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("느리", "너무 느려요"),  # a stem matches all its forms
        ("응답 없", "응답이 전혀 없습니다"),  # particles and adverbs are skipped
        ("접속 안 되", "접속이 안돼요"),
        ("디비", "DB가 느립니다"),  # synonyms are merged
        ("로그 ~ 정리", "로그가 너무 많이 쌓였으니 정리"),  # a wide gap
        ("서버|디비 다운", "디비 다운"),  # alternatives
        ("재기동", "재 기동"),  # in any segmentation
        ("지/E 않", "되지 않습니다"),  # an ending, by its tag
        ("<version> 배포", "3.1.1 배포"),
        ("<path> 정리", "/var/log 정리"),
        ("{what} 없", "반응이 없네요"),
    ],
)
def test_matches(source: str, text: str) -> None:
    assert found(source, text, {"what": ["응답", "반응"]})


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("서비스 되", "서비스가 안 됩니다"),  # 안 is never skipped
        ("응답 없", "응답은 됩니다만 여유가 없습니다"),
        ("로그 정리", "로그가 너무 많이 쌓였으니 회의 후 정리"),
        ("지/E", "지금"),
        ("안 되", "이번 주 안에만 되면"),  # the noun 안 is another word
        ("<version>", "10 3호기"),
    ],
)
def test_does_not_match(source: str, text: str) -> None:
    assert not found(source, text)


def test_concepts_used_by_the_rules_exist() -> None:
    concepts = {p.concept for group in lexicon().patterns.values() for p in group}
    named = {
        *(f"fault.{n}" for n in ("outage", "down", "error", "slow", "full", "weak", "breach")),
        *("fault.attack", "fault.waiting", "scope.wide", "scope.heavy", "scope.some", "scope.one"),
        *(f"calm.{n}" for n in ("now", "noimpact", "works", "component", "contained")),
        *(f"when.{n}" for n in ("today", "urgent", "later", "wait", "anytime")),
        *(f"ask.{n}" for n in ("do", "please", "release", "reply", "info", "curious", "change")),
        *("ask.change_server", "change.object", "change.platform"),
    }
    assert named <= concepts
    assert {"followers", "remedies", "benign", "shadows", "asking", "reasons", "after"} <= set(
        lexicon().lists
    )


def test_every_action_and_category_has_a_title() -> None:
    from guardia.i18n import catalogue

    words = lexicon()
    concepts = {p.concept for group in words.patterns.values() for p in group}
    actions = {c.split(".")[1] for c in concepts if c.startswith("action.")}
    topics = {c.split(".")[1] for c in concepts if c.startswith("topic.")} - {"SAME"}
    assert actions == set(catalogue("ko", "triage")["action"])
    assert topics == set(catalogue("ko", "triage")["category"])
