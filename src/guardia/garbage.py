"""The garbage collector of a command: most of what it looks at are modules, which stay."""

from __future__ import annotations

import atexit
import gc

_THRESHOLDS = (20_000, 20, 20)
"""New objects until a collection, then collections until an older generation is included."""


def spare_modules() -> None:
    """Collect more rarely than Python does, and not at the end of the process.

    Looking through a few hundred thousand objects of modules again and again takes a third of the
    time of a command.
    """
    gc.set_threshold(*_THRESHOLDS)
    atexit.register(gc.freeze)


def keep_what_exists() -> None:
    """Never look again at what exists now: call it when a service is ready."""
    gc.freeze()
