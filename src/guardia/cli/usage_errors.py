"""Sentences about a wrong command line, which the library has in English only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from guardia.i18n import t

_SENTENCES = {
    "option": r"No such option: (?P<name>\S+)",
    "options": r"No such option: (?P<name>\S+) \(Possible options: (?P<others>.+)\)",
    "command": r"No such command '(?P<name>.+)'\.",
    "commands": r"No such command '(?P<name>.+)'\. Did you mean (?P<others>.+)\?",
    "no_command": r"Missing command\.",
    "missing_option": r"Missing option (?P<name>.+?)\.(?: .*)?",
    "missing_argument": r"Missing argument (?P<name>.+?)\.(?: .*)?",
    "extra": r"Got unexpected extra argument\(s\) \((?P<name>.+)\)",
    "no_value": r"Option (?P<name>.+) requires (?:an argument|\d+ arguments)\.",
    "takes_none": r"Option (?P<name>.+) does not take a value\.",
}
_VALUES = {
    "integer": r"Input should be a valid integer.*",
    "decimal": r"Input should be a valid (?:number|decimal).*",
    "date": r"Input should be a valid (?:date|datetime).*",
    "least": r"Input should be greater than or equal to (?P<limit>\S+)",
    "most": r"Input should be less than or equal to (?P<limit>\S+)",
    "one_of": r"Input should be (?P<choices>'.+)",
    "none": r"(?:File|Path|Directory) (?P<path>'.*') does not exist\.",
    "none_file": r"(?P<path>'.*'): No such file or directory",
    "is_folder": r"(?:File|Path) (?P<path>'.*') is a directory\.",
    "is_file": r"(?:Directory|Path) (?P<path>'.*') is a file\.",
    "unreadable": r"(?:File|Path|Directory) (?P<path>'.*') is not readable\.",
    "unwritable": r"(?:File|Path|Directory) (?P<path>'.*') is not writable\.",
}
_VALUE = re.compile(r"Invalid value for (?P<name>.+?): (?P<why>.+)", re.DOTALL)


@contextmanager
def translated() -> Iterator[None]:
    """Let errors of the block say in the current language what is wrong with a command line."""
    try:
        yield
    except typer.TyperException as error:
        sentence = translate(error.format_message())
        setattr(error, "format_message", lambda: sentence)  # noqa: B010 - a method
        raise


def translate(sentence: str) -> str:
    """Return a sentence of the library in the current language; others stay as they are."""
    found = _VALUE.fullmatch(sentence)
    if found is not None:
        why = _matching(_VALUES, "value", found["why"]) or found["why"]
        return t("cli.usage.value.wrong", name=_spoken(found["name"]), why=why)
    return _matching(_SENTENCES, "sentence", sentence) or sentence


def _matching(patterns: dict[str, str], topic: str, text: str) -> str | None:
    for key, pattern in patterns.items():
        found = re.fullmatch(pattern, text, re.DOTALL)
        if found is not None:
            words = {name: _spoken(value) for name, value in found.groupdict().items()}
            return t(f"cli.usage.{topic}.{key}", **words)
    return None


def _spoken(words: str) -> str:
    return words.replace("' or '", "', '").replace("'", "")
