"""Read the tokens of guarded forms from the refresh of a live page."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from guardia.board.core.form_guard import FormGuard
from guardia.text import CleanStr

_MAX_FORMS = 100
_MAX_TOKEN = 200
Tokens = Annotated[list[CleanStr], Query(max_length=_MAX_FORMS)]


def read_guard(bound: Tokens = [], accept: Annotated[CleanStr, Query()] = "") -> FormGuard:  # noqa: B006
    """Read the tokens of a refresh from its query."""
    opened = {}
    for value in bound:
        name, _, tokens = value[:_MAX_TOKEN].partition(" ")
        shown, _, since = tokens.partition(" ")
        if shown:
            opened[name] = (shown, since)
    return FormGuard(opened, accept)


Guard = Annotated[FormGuard, Depends(read_guard)]
