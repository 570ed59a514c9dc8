"""Find mentioned agents by id, title or alias: `@db-agent`, `@DB 에이전트`. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

from guardia.text import fold, matching_form

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
AgentNames = tuple[tuple[str, tuple[str, ...]], ...]
"""All names of each agent, by its id."""


def mentioned_agents(text: str, names: AgentNames) -> list[str]:
    """Return the ids of the agents that `text` mentions outside of code, each once, in order."""
    pattern, ids = _pattern_of(names)
    plain = without_code(fold(text))
    found = (ids[_plain(m[1])] for m in pattern.finditer(plain)) if ids else ()
    return list(dict.fromkeys(found))


def without_code(text: str) -> str:
    """Return a Markdown text with a blank in place of each piece of code."""
    return _CODE.sub(" ", text)


@lru_cache(maxsize=4)
def _pattern_of(names: AgentNames) -> tuple[re.Pattern[str], dict[str, str]]:
    ids = {_plain(name): agent for agent, all_names in names for name in all_names if name}
    # Longest first: "DB 에이전트 2" must not match as "DB 에이전트".
    words = sorted((n for _, all_names in names for n in all_names if n), key=len, reverse=True)
    either = "|".join(_spelled(word) for word in words)
    return re.compile(rf"(?<![\w@.])@({either})", re.IGNORECASE), ids


def _spelled(word: str) -> str:
    """Return a pattern for a name with optional blanks and a Korean particle after it."""
    pieces = fold(word).split()
    end = r"(?![A-Za-z0-9_-])" if pieces[-1][-1].isascii() else ""
    return r"\s?".join(re.escape(piece) for piece in pieces) + end


def _plain(name: str) -> str:
    return "".join(matching_form(name).split())
