"""Write chat endings, dialect, English and frequent misspellings as the grammar knows them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from ruamel.yaml import YAML

from guardia.board.command.compact import Compact

_JOINT = re.compile(r"(?<![a-z0-9])_|_(?![a-z0-9])")
"""What kept two Latin words apart of which one was respelled."""


def respell(line: Compact) -> None:
    """Respell a line whose names and quotations are marks already: neither is changed."""
    for pattern, spelling in _respellings():
        line.respell(pattern, spelling)
    line.respell(_JOINT, "")


@cache
def _respellings() -> tuple[tuple[re.Pattern[str], str], ...]:
    text = Path(__file__).with_name("respellings.yaml").read_text("utf-8")
    found = YAML(typ="safe", pure=True).load(text)
    english = [(rf"(?<![a-z0-9])(?:{word})(?![a-z])", to) for word, to in found["english"]]
    return tuple(
        (re.compile(pattern), to) for pattern, to in (*english, *found["words"], *found["endings"])
    )
