"""The topics of the help, read from Markdown files: sections, and pictures if there are any."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from guardia.errors import NotFound
from guardia.i18n import LANGUAGES
from guardia.org.access import ROLES

COMMON = "common"
TOPICS = (COMMON, *ROLES)
_FOLDER = Path(__file__).parent
_PICTURES = Path(__file__).parents[1] / "web" / "static" / "help"
_PICTURE = re.compile(r"^!\[([^\]]+)\]\(([a-z0-9_-]+)\)\s*$", re.MULTILINE)
_SUFFIX = "--1440-light.png"
"""End of the names that `make screenshots` gives to its pictures."""


@dataclass(frozen=True, slots=True)
class HelpPicture:
    """A picture of a page."""

    path: str
    """Below the static files."""
    about: str


@dataclass(frozen=True, slots=True)
class HelpSection:
    """One section of a topic, with the pictures that this installation has."""

    title: str
    text: str
    """Markdown."""
    pictures: tuple[HelpPicture, ...]


@dataclass(frozen=True, slots=True)
class HelpTopic:
    """One topic: what all people do, or those of a role."""

    name: str
    title: str
    lead: str
    sections: tuple[HelpSection, ...]


@cache
def read_topic(name: str, language: str) -> HelpTopic:
    """Return a topic. Raises `NotFound` for an unknown one."""
    if name not in TOPICS or language not in LANGUAGES:
        raise NotFound(what=name[:40])
    text = (_FOLDER / language / f"{name}.md").read_text("utf-8")
    head, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    title, _, lead = head.removeprefix("# ").partition("\n")
    return HelpTopic(name, title.strip(), lead.strip(), tuple(map(_section, parts)))


def _section(part: str) -> HelpSection:
    title, _, text = part.partition("\n")
    return HelpSection(title.strip(), _PICTURE.sub("", text).strip(), tuple(_pictures(text)))


def _pictures(text: str) -> Iterator[HelpPicture]:
    for about, name in _PICTURE.findall(text):
        file = f"{name}{_SUFFIX}"
        if (_PICTURES / file).is_file():
            yield HelpPicture(f"help/{file}", about)
