"""Every module of tables can be loaded alone: a process loads only the features that it needs."""

from __future__ import annotations

import subprocess
import sys

import pytest
from table_modules import table_modules

RESOLVE = """
import importlib, sys
from guardia.db.base import Base
importlib.import_module(sys.argv[1])
print(len([key.column for table in Base.metadata.tables.values() for key in table.foreign_keys]))
"""


@pytest.mark.parametrize("module", list(table_modules()))
def test_its_foreign_keys_find_their_tables(module: str) -> None:
    """Without its target table, a flush or a join of the row would fail in that process alone."""
    ended = subprocess.run(
        [sys.executable, "-c", RESOLVE, module], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
