"""One sentence for what an operator can mend: database, files, settings."""

from __future__ import annotations

from guardia.errors import GuardiaError
from guardia.i18n import t


def describe(error: BaseException) -> str | None:
    """Return the sentence for an expected error, or `None` for a bug."""
    if isinstance(error, BaseExceptionGroup):
        found = [describe(part) for part in error.exceptions]
        return None if None in found else " ".join(dict.fromkeys(map(str, found)))
    if isinstance(error, GuardiaError):
        return str(error)
    if isinstance(error, OSError):
        return _describe_file(error)
    return _describe_settings(error) or _describe_database(error)


def _describe_file(error: OSError) -> str | None:
    if error.filename is None:
        return None
    return t("cli.failure.file", path=error.filename, why=error.strerror or type(error).__name__)


def _describe_settings(error: BaseException) -> str | None:
    from pydantic import ValidationError

    if not isinstance(error, ValidationError) or error.title != "Settings":
        return None
    names = ", ".join(f"GUARDIA_{part['loc'][0]}".upper() for part in error.errors())
    return t("cli.failure.setting", names=names)


def _describe_database(error: BaseException) -> str | None:
    from guardia.db.faults import find_fault

    found = find_fault(error)
    return t(f"cli.failure.{found.key}", why=found.why) if found else None
