"""People who were signed in a moment ago, for the kill switch while the database is away.

Nothing else is permitted to them, and stopping is safe. A session that was ended since can
still stop, but no one without the permission.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict

from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo

_SECONDS = 12 * 3600.0
_MOST = 1000


class RecentVisitors:
    """Remembers who may stop, by a hash of the session's secret."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, tuple[PersonInfo, float]] = OrderedDict()

    def remember(self, token: str, person: PersonInfo) -> None:
        """Remember a person whose session or token was valid just now."""
        if not is_allowed(person, "control.kill"):
            return
        key = _key(token)
        self._known[key] = (person, time.monotonic())
        self._known.move_to_end(key)
        while len(self._known) > _MOST:
            self._known.popitem(last=False)

    def find(self, token: str) -> PersonInfo | None:
        """Return the person of a session that was valid not long ago, or `None`."""
        person, seen = self._known.get(_key(token), (None, 0.0))
        return person if time.monotonic() - seen < _SECONDS else None


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
