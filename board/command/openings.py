"""What a line may still mean where the grammar is unsure: the choices of a chat model, no others.

A choice is only what the line names: its issues, its people and servers, and of what ends, undoes
or permits something only the act that the grammar saw and was not sure of.
"""

from __future__ import annotations

from dataclasses import dataclass

from guardia.board.command.lexicon import lexicon
from guardia.board.command.names import Names
from guardia.board.command.parser import command_of, reading_of
from guardia.board.command.reading import LineReading, Mood
from guardia.board.command.recipients import servers
from guardia.board.command.structure import NONE, Command, Situation

_SAFE = ("reassign", "set_mode", "reanalyze", "pause", "resume", "reject", "set_priority", "wake",
         "escalate", "query", "none")  # fmt: skip
_SEEN = ("abort", "rollback", "approve")
_UNMEANT = frozenset({Mood.NEGATED, Mood.QUESTION, Mood.SUPPOSED, Mood.PAST, Mood.TOLD})


@dataclass(frozen=True, slots=True)
class Openings:
    """What a line may mean."""

    actions: tuple[str, ...]
    issues: tuple[int, ...]
    targets: tuple[str, ...]
    works: tuple[str, ...]


def read_with_openings(
    line: str, situation: Situation, names: Names
) -> tuple[Command, Openings | None]:
    """Return the grammar's command, and what else the line may mean if the grammar is unsure."""
    reading = reading_of(line, situation, names)
    command = command_of(reading)
    return command, _openings(reading) if _is_unsure(reading, command) else None


def _is_unsure(reading: LineReading, command: Command) -> bool:
    """Return whether the grammar found no meaning in a line that may have one.

    What it understood as talk is none: a line that forbids, asks, reports or quotes.
    """
    if command.action == "clarify":
        return bool(command.params["about"] == "action")
    if command != NONE or not (reading.names_issue or reading.has("HA")):
        return False
    talk = any(act.mood in _UNMEANT for act in reading.acts)
    ends = ("unreal", "reported", "revoked", "spoken_by_others", "foreign_negation")
    return not (talk or reading.has("Q") or any(map(reading.ends, ends)))


def _openings(reading: LineReading) -> Openings:
    seen = {act.name for act in reading.acts if act.mood in (Mood.COMMAND, Mood.UNSURE)}
    works = tuple(name for name in lexicon().works if name in seen)
    acts = [name for name in _SEEN if name in seen]
    own = (reading.sr_id,) if reading.sr_id is not None else ()
    people = [i for mark in reading.compact.all("PUAI") for i in mark.value]
    own_person = [reading.situation.user] if reading.has("M") else []
    roles = [str(mark.value[0]) for mark in reading.compact.all("O") if mark.value[0]]
    targets = dict.fromkeys([*servers(reading), *people, *own_person, *roles])
    return Openings(
        actions=(*_SAFE, *acts, *(("run_action",) if works else ())),
        issues=tuple(dict.fromkeys((*reading.numbers, *own))),
        targets=tuple(targets),
        works=works,
    )
