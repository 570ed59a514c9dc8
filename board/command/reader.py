"""Read a person's line with the names of this installation, indexed once per change of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Lock
from weakref import WeakKeyDictionary

from guardia.board.cmdb import view as cmdb
from guardia.board.command.names import Names
from guardia.board.command.parser import parse
from guardia.board.command.structure import Command, Situation
from guardia.board.core.context import BoardContext
from guardia.board.core.labels import SEOUL
from guardia.db.engine import Database
from guardia.org.directory import PersonInfo

_known: WeakKeyDictionary[Database, Names] = WeakKeyDictionary()
_lock = Lock()


@dataclass(frozen=True, slots=True)
class ReadLine:
    """A line as it was read: with whom, when and where, and what it means."""

    text: str
    situation: Situation
    names: Names
    command: Command


def names_of(board: BoardContext) -> Names:
    """Return the index of all names."""
    directory = cmdb.names(board)
    with _lock:
        known = _known.get(board.database)
    if known is not None and known.directory is directory:
        return known
    found = Names(directory)
    with _lock:
        _known[board.database] = found
    return found


def situation_of(board: BoardContext, person: PersonInfo, context_id: int | None) -> Situation:
    """Return who types where, now, in office time."""
    return Situation(person.id, board.current_time().astimezone(SEOUL), context_id)


def read(
    board: BoardContext,
    person: PersonInfo,
    text: str,
    context_id: int | None,
    answers: dict[str, str] | None = None,
) -> ReadLine:
    """Read a line; on the page or in the thread of an issue, what names none is about that one.

    Only an emergency stop, a question about others and new work never are: the grammar leaves the
    context out there.
    """
    situation = situation_of(board, person, context_id)
    situation = replace(situation, answers=tuple((answers or {}).items()))
    names = names_of(board)
    command = parse(text, situation, names)
    if command.action == "clarify" and command.params.get("about") == "sr" and context_id:
        chosen = (*situation.answers, ("sr", str(context_id)))
        settled = replace(situation, answers=chosen)
        if (found := parse(text, settled, names)).action not in ("none", "kill_all"):
            situation, command = settled, found
    return ReadLine(text, situation, names, command)
