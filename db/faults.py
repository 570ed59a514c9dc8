"""What an error of the database means for its operator."""

from __future__ import annotations

import re
from dataclasses import dataclass

import psycopg
from sqlalchemy import exc

_MAX = 300
_HINTS = {
    "28P01": "password",
    "28000": "password",
    "3D000": "no_database",
    "42501": "no_right",
    "53100": "disk_full",
    "53300": "connections",
    "25006": "read_only",
    "42P01": "not_migrated",
    "42703": "not_migrated",
}
"""What to do, by the error code of PostgreSQL."""
_TEMPORARY = (
    "25P03",  # a session that idled in a transaction was ended
    "25P04",  # a transaction that took too long was ended
    "25006",  # the database is, or has just become, one that only reads
)
"""Codes of errors that pass, of a class in which other errors do not."""


_REFUSALS = (
    (r"password authentication failed|no pg_hba.conf entry", "password"),
    (r'FATAL: +database ".*" does not exist', "no_database"),
    (r"too many clients|connection slots", "connections"),
)


@dataclass(frozen=True, slots=True)
class DatabaseFault:
    """What is wrong, as the key of a text, and what the database said."""

    key: str
    why: str = ""


def find_fault(error: BaseException) -> DatabaseFault | None:
    """Return what an error means, or `None` if it is no fault of database or address."""
    if isinstance(error, exc.TimeoutError):
        return DatabaseFault("unreachable")
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    if not isinstance(cause, psycopg.Error):
        return None
    text = str(cause).strip()
    key = _HINTS.get(cause.sqlstate or "") or _key_of_refusal(text)
    if key is None and cause.sqlstate is None and isinstance(cause, psycopg.ProgrammingError):
        key = "address"
    if key is not None:
        return DatabaseFault(key)
    if not isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
        return None
    return DatabaseFault("unreachable_why", (text.splitlines() or [""])[0][:_MAX])


def is_temporary(error: BaseException) -> bool:
    """Return whether an error passes by itself: the same request may succeed a moment later."""
    if isinstance(error, exc.TimeoutError):
        return True
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    if isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
        return True
    return isinstance(cause, psycopg.Error) and cause.sqlstate in _TEMPORARY


def _key_of_refusal(text: str) -> str | None:
    """Return what a refused connection means: libpq gives no code for it."""
    return next((key for pattern, key in _REFUSALS if re.search(pattern, text)), None)
