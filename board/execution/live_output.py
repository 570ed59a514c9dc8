"""The end of what a running command has printed so far, for the pages that show it.

It is announced to the boards and stored nowhere, outside of any transaction of the audit log: what
counts is the result, which is recorded when the command has ended.
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from dataclasses import asdict, dataclass, replace
from typing import Any

from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.issues import visibility
from guardia.db import events
from guardia.db.engine import repeat_on_conflict
from guardia.errors import NotFound
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo

CHANNEL = "guardia_output"
TAIL_BYTES = 4096
_MAX_PAYLOAD = 7900
"""PostgreSQL takes less than 8000 bytes in a notification."""
_FORGOTTEN_AFTER = 30.0
"""Seconds without news of a command until it is no longer shown: its worker has died."""
_MAX_TAILS = 200


@dataclass(frozen=True, slots=True)
class OutputTail:
    """The last lines of one running command."""

    sr_id: int
    task_id: int
    seq: int
    """Number of the entry in the audit log that announced the command."""
    tool: str
    server: str
    seconds: int
    text: str
    ended: bool = False


@repeat_on_conflict
def announce(board: BoardContext, tail: OutputTail) -> None:
    """Announce a tail to all boards."""
    payload = _payload(tail)
    with board.database.transaction() as session:
        events.send(session, CHANNEL, payload)


def _payload(tail: OutputTail) -> str:
    """Write a tail as short as a notification has to be, without its first lines if necessary."""
    while True:
        payload = json.dumps(asdict(tail), ensure_ascii=False)
        if len(payload.encode()) <= _MAX_PAYLOAD:
            return payload
        tail = replace(tail, text=tail.text[len(tail.text) // 4 + 1 :])


class OutputTails:
    """The running commands that were announced to one board process, the latest last."""

    def __init__(self) -> None:
        self._tails: OrderedDict[int, tuple[float, OutputTail]] = OrderedDict()

    def put(self, event: dict[str, Any]) -> int:
        """Keep or remove what was announced; return the number of its issue."""
        tail = OutputTail(**event)
        self._tails.pop(tail.seq, None)
        if not tail.ended:
            self._tails[tail.seq] = time.monotonic(), tail
        while len(self._tails) > _MAX_TAILS:
            self._tails.popitem(last=False)
        return tail.sr_id

    def of_issue(self, sr_id: int) -> tuple[OutputTail, ...]:
        """Return the commands of an issue that run now."""
        oldest = time.monotonic() - _FORGOTTEN_AFTER
        return tuple(
            tail for at, tail in list(self._tails.values()) if tail.sr_id == sr_id and at > oldest
        )


def require_reader(board: BoardContext, viewer: PersonInfo, sr_id: int) -> None:
    """Raise `NotFound` unless a person may see the outputs of an issue's commands."""
    visibility.require_issue(board, viewer, sr_id)
    if not is_allowed(viewer, "plan.read"):
        raise NotFound(what=issue_ref(sr_id))
