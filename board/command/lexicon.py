"""The words of the commands from `acts.yaml`, compiled once."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

from ruamel.yaml import YAML

Patterns = dict[str, re.Pattern[str]]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The words of the acts, and what separates one reading from another."""

    acts: Patterns
    works: Patterns
    """The work that an agent can be asked for."""
    words: Patterns
    questions: Patterns
    statuses: Patterns
    tails: Patterns
    """What follows the word of an act and changes how it is meant."""


@cache
def lexicon() -> Lexicon:
    """Return the lexicon."""
    text = Path(__file__).with_name("acts.yaml").read_text("utf-8")
    found = YAML(typ="safe", pure=True).load(text)
    tables = (found[field.name] for field in fields(Lexicon))
    return Lexicon(*({k: re.compile(p) for k, p in table.items()} for table in tables))
