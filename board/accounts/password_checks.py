"""Few password checks at a time: each takes about 64 MiB and 0.1 s by design.

They have threads of their own, so that a flood of attempts takes none from the pages. Devices that
are known do not queue behind strangers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from guardia.errors import Throttled

_WAITING = 40
_Result = TypeVar("_Result")


class PasswordChecks:
    """Runs checks in one thread for known devices and one for all others."""

    def __init__(self) -> None:
        self._known = ThreadPoolExecutor(1, "known-device")
        self._strangers = ThreadPoolExecutor(1, "password")
        self._waiting = 0

    async def run(self, check: Callable[[], _Result], *, known_device: bool) -> _Result:
        """Run a check. Raises `Throttled` if too many strangers' checks wait already."""
        loop = asyncio.get_running_loop()
        if known_device:
            return await loop.run_in_executor(self._known, check)
        if self._waiting >= _WAITING:
            raise Throttled()
        self._waiting += 1
        try:
            return await loop.run_in_executor(self._strangers, check)
        finally:
            self._waiting -= 1
