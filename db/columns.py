"""Column types that store foreign text only in its clean form."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Dialect, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

from guardia.text import clean, clean_json


def cleaned(value: str | None) -> str | None:
    """Return a text in the form in which it is stored."""
    return None if value is None else clean(value)


class CleanText(TypeDecorator[str]):
    """Text. Values in comparisons are cleaned as well, so they match what was stored."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Clean a value that is stored or compared."""
        return cleaned(value)


class CleanJsonb(TypeDecorator[Any]):
    """A JSON value in which every text is cleaned."""

    impl = JSONB
    cache_ok = True

    def __init__(self, *, none_as_null: bool = False) -> None:
        """Store `None` as the JSON null, or as no value at all if `none_as_null`."""
        super().__init__(none_as_null=none_as_null)
        self.should_evaluate_none = not none_as_null

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Clean a value that is stored or compared."""
        return clean_json(value)

    def coerce_compared_value(self, op: Any, value: Any) -> Any:
        """Leave the types of keys and paths in `column["key"]` to JSONB."""
        return self.impl_instance.coerce_compared_value(op, value)
