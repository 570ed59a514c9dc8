"""Answers of browsers as they enter: the JSON text of a credential."""

from __future__ import annotations

import json
from typing import Any

from guardia.errors import PasskeyRejected
from guardia.i18n import t


def parse_answer(text: str) -> dict[str, Any]:
    """Return the JSON object in `text`. Raises `PasskeyRejected` if it is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise PasskeyRejected(why=t("passkeys.why.malformed"))
    return found
