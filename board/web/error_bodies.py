"""Shapes of errors for the description of the API."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class Problem(BaseModel):
    """What is wrong with one field."""

    resource: str | None = None
    field: str | None = None
    code: str | None = None
    message: str | None = None


class ErrorBody(BaseModel):
    """An error."""

    message: str
    documentation_url: str
    errors: list[Problem] | None = None
    reference: str | None = None


_ALWAYS = (400, 401, 403, 404, 409, 422, 429, 503)


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the errors of a route for the description of the API, with those of every route."""
    found: dict[int | str, dict[str, Any]] = {304: {"description": "Unchanged"}}
    return found | {status: {"model": ErrorBody} for status in sorted({*_ALWAYS, *statuses})}
