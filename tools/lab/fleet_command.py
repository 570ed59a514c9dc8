"""Command line of the fleet's launcher, importable without loading the fleet."""

from __future__ import annotations

import sys
from pathlib import Path

OCCUPIED = 3
"""Exit code: a fleet already runs in this folder."""


def command(home: Path) -> list[str]:
    """Return the argument list that runs the fleet of `home`."""
    return [sys.executable, "-m", "guardia.tools.lab.fleet", str(home)]
