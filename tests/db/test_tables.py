"""Every module of tables is complete: a process can write its rows without loading the others."""

from __future__ import annotations

import subprocess
import sys

import pytest
from table_modules import table_modules

# Each module is loaded in a fork: what another one has loaded must not help it.
PROGRAM = """
import importlib, os, sys, traceback
import guardia.board.core.model
for name in sys.argv[1:]:
    if (child := os.fork()) == 0:
        status = 1
        try:
            importlib.import_module(name)
            from guardia.db.base import Base
            for mapper in Base.registry.mappers:
                mapper._sorted_tables  # as a flush looks at them
            status = 0
        except Exception:
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(status)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        print(name)
"""


@pytest.mark.slow
def test_each_module_of_tables_can_be_written_without_the_others() -> None:
    modules = list(table_modules())
    assert {"guardia.board.core.model", "guardia.org.model"} <= set(modules)
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, *modules], capture_output=True, text=True, check=False
    )
    assert (ended.stdout, ended.returncode) == ("", 0), ended.stdout + ended.stderr
