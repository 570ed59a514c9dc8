"""A command does not look for garbage among its modules; real garbage is still collected."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import atexit, gc, weakref
from guardia import garbage
collections = sum(one["collections"] for one in gc.get_stats())
atexit.register(lambda: print("kept at the end:", gc.get_freeze_count() > 0))
garbage.spare_modules()
import guardia.board.core.model
print("collected while importing:", sum(one["collections"] for one in gc.get_stats()) - collections)
class Knot:
    pass
garbage.keep_what_exists()
def tie():
    knot = Knot()
    knot.itself = knot
    return weakref.ref(knot)
first = tie()
kept = [tie() for _ in range(25_000)]
print("garbage is collected:", first() is None)
"""


def test_modules_are_spared_and_garbage_is_not() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True
    )
    lines = dict(line.split(": ") for line in done.stdout.splitlines())
    assert int(lines.pop("collected while importing")) < 100
    assert lines == {"garbage is collected": "True", "kept at the end": "True"}
