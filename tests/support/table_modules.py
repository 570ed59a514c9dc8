"""The modules that declare tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_TABLE = re.compile(r"^    __tablename__ = ", re.MULTILINE)


def table_modules() -> Iterator[str]:
    """Yield the name of every module that declares a table."""
    for package in ("board", "org"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if "node_modules" not in path.parts and _TABLE.search(path.read_text("utf-8")):
                yield "guardia." + ".".join(path.relative_to(ROOT).with_suffix("").parts)
