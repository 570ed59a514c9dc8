"""Forms whose fields a route does not know: they depend on a plan, a rule or a server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request
from pydantic import TypeAdapter

from guardia.text import CleanStr

_TEXTS = TypeAdapter(dict[CleanStr, CleanStr])
MOST_FIELDS = 1000
"""The framework's own bound."""


def form_texts(
    most: int = MOST_FIELDS, longest: int | None = None
) -> Callable[[Request], Awaitable[dict[str, str]]]:
    """Return a dependency that reads all text fields of a form, clean and cut to `longest`."""

    async def read(request: Request) -> dict[str, str]:
        form = await request.form(max_fields=most)
        texts = {name: text for name, text in form.items() if isinstance(text, str)}
        return {name: text[:longest] for name, text in _TEXTS.validate_python(texts).items()}

    return read
