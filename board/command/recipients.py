"""Whom and which server a line means: one if it is clear, a question back if it is not."""

from __future__ import annotations

from collections.abc import Iterator

from guardia.board.command.compact import Mark
from guardia.board.command.lexicon import lexicon
from guardia.board.command.names import UnclearKind
from guardia.board.command.reading import LineReading
from guardia.board.command.structure import Command, clarify


def _wanted(reading: LineReading, signs: str) -> Iterator[Mark]:
    """Yield the marks of these kinds that a line does not exclude: "not this one but that"."""
    excluded = lexicon().words["excluded"]
    for position, sign in enumerate(reading.text):
        if sign in signs and not excluded.match(reading.text, position + 1):
            yield reading.compact.mark_at(position)


def recipient(reading: LineReading) -> str | Command | None:
    """Return the person or agent who is to have an issue, a question back, or `None`."""
    if (chosen_id := reading.situation.answered("person", "agent")) is not None:
        return chosen_id
    words, text = lexicon().words, reading.text
    places = [i for i, sign in enumerate(text) if sign in "PUAMO"]
    wanted = [i for i in places if not words["replaced"].match(text[i + 1 :])]
    goals = [i for i in wanted if words["goal"].match(text[i + 1 :])]
    chosen = next(iter(reversed(goals or wanted)), None)
    if chosen is None:
        return clarify("agent") if reading.has("G") else None
    return _one(reading, reading.compact.mark_at(chosen))


def _one(reading: LineReading, mark: Mark) -> str | Command:
    match mark.sign:
        case "M":
            return reading.situation.user
        case "U":
            return clarify("person")
        case "O":
            _, holders = mark.value
            return str(holders[0]) if len(holders) == 1 else clarify("person")
        case _:
            return str(mark.value[0])


def superior(reading: LineReading) -> str | Command | None:
    """Return the person or role to whom an issue is raised, a question back, or `None`."""
    if (chosen := reading.situation.answered("person")) is not None:
        return chosen
    marks = reading.compact.all("PUO")
    if not marks:
        return None
    mark = marks[-1]
    role = mark.value[0] if mark.sign == "O" else None
    return str(role) if role else _one(reading, mark)


def servers(reading: LineReading) -> list[str]:
    """Return the servers that a line may mean: one if it is clear."""
    if (chosen := reading.situation.answered("server")) is not None:
        return [chosen]
    found: dict[str, None] = {}
    institution: str | None = None
    for mark in _wanted(reading, "IHK"):
        if mark.sign == "I":
            institution = mark.value[0]
        elif isinstance(mark.value, UnclearKind):
            found |= dict.fromkeys(reading.names.resolve_kind(institution, mark.value))
        else:
            found |= dict.fromkeys(mark.value)
    return list(found)
