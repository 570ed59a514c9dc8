"""Run a coroutine to its end, even if another loop runs in this thread.

Playwright's synchronous interface keeps a loop running in the main thread for the whole session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def run_in_own_loop(work: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of `work`, run in a thread and a loop of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
