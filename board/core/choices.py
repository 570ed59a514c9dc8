"""Buttons under a message: what a person may answer without writing."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from guardia.text import CleanStr


class ChoiceStyle(StrEnum):
    """Weight of a button."""

    DEFAULT = "default"
    PRIMARY = "primary"
    DANGER = "danger"


@dataclass(frozen=True, slots=True)
class Choice:
    """A button. `act` names the handler of a press, which receives `value`."""

    act: str
    value: str
    label: CleanStr
    style: ChoiceStyle = ChoiceStyle.DEFAULT


_CHOICES = TypeAdapter(tuple[Choice, ...])


def to_stored(choices: tuple[Choice, ...]) -> list[dict[str, Any]]:
    """Return choices as JSON for a column."""
    found: list[dict[str, Any]] = _CHOICES.dump_python(choices, mode="json")
    return found


def from_stored(stored: list[dict[str, Any]]) -> tuple[Choice, ...]:
    """Return the choices of a column."""
    return _CHOICES.validate_python(stored)
