"""The words of the commands from `acts.yaml`, compiled once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ruamel.yaml import YAML


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The words of the acts, and the tails that change what an act means."""

    acts: dict[str, re.Pattern[str]]
    works: dict[str, re.Pattern[str]]
    tails: dict[str, re.Pattern[str]]


@cache
def lexicon() -> Lexicon:
    """Return the lexicon."""
    text = Path(__file__).with_name("acts.yaml").read_text("utf-8")
    found = YAML(typ="safe", pure=True).load(text)
    acts, works = found.pop("acts"), found.pop("works")
    return Lexicon(_compiled(acts), _compiled(works), _compiled(found))


def _compiled(patterns: dict[str, str]) -> dict[str, re.Pattern[str]]:
    return {name: re.compile(pattern) for name, pattern in patterns.items()}
