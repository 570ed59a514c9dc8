"""Teams: add, change and remove them one at a time, as revisions of the CMDB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardia.board.cmdb import applying, entries
from guardia.board.cmdb.applying import ChangeSet
from guardia.board.cmdb.changes import Draft
from guardia.board.cmdb.records import KINDS, Record, record_key
from guardia.board.core.acting import require_actor
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.errors import Invalid, NotFound
from guardia.org.directory import PersonInfo

_KIND = "team"
EDIT = "team.edit"


def all_teams(board: BoardContext) -> list[Record]:
    """Return all teams in the order of their ids."""
    return [KINDS[_KIND].model_validate(entry) for entry in entries.entries(board, _KIND)]


def put(board: BoardContext, by: PersonInfo | Actor, given: Mapping[str, Any]) -> None:
    """Add a team or replace what it is. Raises `Invalid` with what is wrong."""
    actor = require_actor(by, EDIT)
    draft = Draft(_KIND, 1, {name: value for name, value in given.items() if value})
    wanted = ChangeSet([draft], source="/teams")
    found = applying.preview(board, wanted)
    if found.problems:
        raise Invalid(what=str(given.get("id", "")), why=str(found.problems[0]))
    applying.apply(board, actor, wanted)


def remove(board: BoardContext, by: PersonInfo | Actor, team: str) -> None:
    """Remove a team. Raises `NotFound` if there is none of this id."""
    actor = require_actor(by, EDIT)
    key = record_key(KINDS[_KIND].KEYS, {"id": team})
    if key not in entries.all_entries(board)[_KIND]:
        raise NotFound(what=team)
    applying.apply(board, actor, ChangeSet([], source="/teams", absent=frozenset({(_KIND, key)})))
