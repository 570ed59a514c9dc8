"""Circuit breaker: a server that has just not answered is known as such for a while.

Every command until then gets the same finding at once. After a pause one command may try again; if
that fails as well, the pause doubles. Refused passwords are remembered in the same way, because
repeating one locks the account.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from guardia.errors import Unreachable

_FIRST_PAUSE = 5.0
_LONGEST_PAUSE = 60.0

K = TypeVar("K", bound=Hashable)


@dataclass(slots=True)
class _Silence:
    """A server that does not answer."""

    error: Unreachable
    pause: float
    until: float
    is_trying: bool = False
    """Whether a command tries again right now."""


class CircuitBreaker(Generic[K]):
    """Servers that do not answer, or refusals of another kind; thread-safe."""

    def __init__(
        self,
        *,
        first: float = _FIRST_PAUSE,
        longest: float = _LONGEST_PAUSE,
        remembers: Callable[[Unreachable], bool] | None = None,
    ) -> None:
        """Remember the errors for which `remembers` is true; by default, silence."""
        self._first, self._longest = first, longest
        self._remembers = remembers or is_silence
        self._lock = threading.Lock()
        self._silent: dict[K, _Silence] = {}

    @contextmanager
    def asking(self, key: K) -> Iterator[None]:
        """Ask a server within the block; an `Unreachable` for its silence is remembered.

        Raises that `Unreachable` again, at once, as long as the server is known to be silent.
        """
        self.enter(key)
        try:
            yield
        except Unreachable as error:
            if self._remembers(error):
                self.record(key, error)
            else:
                self.forget(key)
            raise
        except BaseException:
            self.give_back(key)
            raise
        self.forget(key)

    def record(self, key: K, error: Unreachable) -> None:
        """Remember an error: what asks next gets it, until the pause is over."""
        with self._lock:
            known = self._silent.get(key)
            pause = min(2 * known.pause, self._longest) if known else self._first
            self._silent[key] = _Silence(error, pause, time.monotonic() + pause)

    def known(self, key: K) -> Unreachable | None:
        """Return the error that is remembered of a server."""
        with self._lock:
            found = self._silent.get(key)
        return Unreachable(**found.error.detail) if found else None

    def enter(self, key: K) -> None:
        """Raise what is remembered, unless it is time to ask again."""
        with self._lock:
            known = self._silent.get(key)
            if known is None:
                return
            if known.is_trying or time.monotonic() < known.until:
                raise Unreachable(**known.error.detail)
            known.is_trying = True

    def give_back(self, key: K) -> None:
        """Let another one ask: nothing was learnt."""
        with self._lock:
            if known := self._silent.get(key):
                known.is_trying = False

    def forget(self, key: K) -> None:
        """Remember nothing of a server: it has answered."""
        with self._lock:
            self._silent.pop(key, None)


_SILENCE = frozenset(
    {
        "timeout",
        "silent",
        "slow_banner",
        "silent_kex",
        "silent_auth",
        "silent_password",
        "no_answer",
        "hop_timeout",
    }
)
"""Reasons that cost the whole time limit; any other is an answer, and comes soon."""


def is_silence(error: Unreachable) -> bool:
    """Return whether the server was waited for in vain."""
    return error.detail.get("reason") in _SILENCE
