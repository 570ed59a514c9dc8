"""Role of an agent: its instructions for a chat model, a Markdown file of this package."""

from __future__ import annotations

from pathlib import Path

from guardia.errors import Misconfigured
from guardia.i18n import t

# In a checkout the packages are symbolic links; a role must be below the real folder.
_AGENTS_FOLDER = Path(__file__).resolve().parents[1]
_MAX_CHARACTERS = 8_000


def instructions(role: str | None, folder: Path = _AGENTS_FOLDER) -> str:
    """Return the text of `role`, a path relative to `folder`; empty for `None`.

    Raises `Misconfigured` if the file is missing, too long, or outside of the folder.
    """
    if role is None:
        return ""
    try:
        path = (folder / role).resolve()
        if path.suffix != ".md" or not path.is_relative_to(folder.resolve()):
            raise Misconfigured(what=role, why=t("brain.role_outside"))
        text = path.read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise Misconfigured(what=role, why=t("brain.role_unreadable")) from error
    if len(text) > _MAX_CHARACTERS:
        raise Misconfigured(what=role, why=t("brain.role_too_long", limit=_MAX_CHARACTERS))
    return text
