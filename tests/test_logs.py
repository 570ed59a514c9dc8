from __future__ import annotations

import logging
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia import logs
from guardia.errors import Misconfigured


def record(message: str, *args: object, level: int = logging.WARNING) -> logging.LogRecord:
    return logging.LogRecord("guardia", level, "module.py", 7, message, args, None)


@given(text=st.text())
def test_foreign_text_stays_on_one_bounded_line(text: str) -> None:
    line = logs.SafeFormatter("%(message)s").format(record("fault on %s", "/x" + text * 50))
    assert len(line) < 2100
    assert not logs._CONTROL.search(line) and len(line.splitlines()) == 1


def test_a_forged_line_and_a_terminal_sequence_are_shown_as_escapes() -> None:
    forged = "/issues\n2026-11-20 guardia all is well\x1b[2J\u202e\udc80"
    line = logs.SafeFormatter("%(message)s").format(record("on %s", forged))
    assert line == "on /issues\\n2026-11-20 guardia all is well\\x1b[2J\\u202e\\udc80"


def test_a_traceback_is_bounded_and_keeps_its_end() -> None:
    try:
        raise ValueError("a\x1b[31m" + "x" * 100_000 + " the end\nsecond line")
    except ValueError as error:
        one = record("fault")
        one.exc_info = (ValueError, error, error.__traceback__)
    text = logs.SafeFormatter("%(message)s").format(one)
    assert len(text) < 7000 and text.endswith("the end\nsecond line")
    assert text.startswith("fault\nTraceback") and "\x1b" not in text


def test_repeated_warnings_are_counted_instead_of_written() -> None:
    now = 0.0
    flood = logs.FloodFilter(lambda: now)
    passed = sum(flood.filter(record("refused")) for _ in range(1000))
    assert passed == logs.PER_MINUTE
    assert flood.filter(record("begun", level=logging.INFO)), "what people follow is all written"
    other = record("another line of code")
    other.lineno = 8
    assert flood.filter(other)
    now = 61.0
    late = record("refused %s", "again")
    assert flood.filter(late)
    assert late.getMessage() == f"refused again ({1000 - logs.PER_MINUTE} more before)"
    assert flood.filter(following := record("refused")) and following.getMessage() == "refused"


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """Return the root logger; afterwards it is as before."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield root
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)


@pytest.mark.slow
def test_a_log_file_is_private_and_rotated(tmp_path: Path, root: logging.Logger) -> None:
    file = tmp_path / "guardia.log"
    before = set(root.handlers)
    logs.configure(file, 1)
    (handler,) = set(root.handlers) - before
    for number in range(1500):
        handler.handle(record("%s %s", number, "가" * 600, level=logging.INFO))
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["guardia.log", "guardia.log.1", "guardia.log.2"]
    assert all(path.stat().st_size < 1_050_000 for path in tmp_path.iterdir())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_log_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="GUARDIA_LOG_FILE"):
        logs.configure(tmp_path / "missing" / "guardia.log", 1)
