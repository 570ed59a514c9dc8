"""The `guardia` command in tests: in this process, or as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from board_env import BoardEnv, seeded_env
from page_env import PASSWORD, enrol_page_users
from typer.testing import CliRunner, Result
from waiting import PATIENCE

from guardia.board.audit.witness_files import WitnessFiles
from guardia.board.integrity.notary import Notary
from guardia.cli import app
from guardia.cli.named_command import narrowed
from guardia.errors import GuardiaError
from guardia.settings import Settings

PROGRAM = (sys.executable, "-m", "guardia")


# --- in this process --------------------------------------------------------------------------


@contextmanager
def command_env(
    database: Any,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    people: bool = True,
    **variables: str,
) -> Iterator[BoardEnv]:
    """Open a board where the commands find it; with `people`, everyone has `PASSWORD`."""
    named = {"GUARDIA_DSN": database.app, "GUARDIA_HOME": str(home), "GUARDIA_PASSWORD": PASSWORD}
    for name, value in {**named, **variables}.items():
        monkeypatch.setenv(name, value)
    with seeded_env(database.app) as env:
        if people:
            enrol_page_users(env)
        # As the installation signs: commands notice approvals without a checkpoint.
        env.board = replace(env.board, notary=Notary(WitnessFiles.of(Settings())))
        yield env


def invoke(
    *words: object, answer: str | None = None, env: Mapping[str, str] | None = None
) -> Result:
    """Run a command; `answer` is its standard input."""
    texts = [str(word) for word in words]
    return CliRunner().invoke(narrowed(app, texts), texts, input=answer, env=env)


def output(*words: object, **more: Any) -> str:
    """Run a command that must succeed; return what it prints."""
    done = invoke(*words, **more)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def refusal(fault: type[GuardiaError], *words: object, **more: Any) -> str:
    """Run a command that must fail with `fault`; return its text."""
    done = invoke(*words, **more)
    assert isinstance(done.exception, fault), (done.output, done.exception)
    return str(done.exception)


# --- a process of its own ---------------------------------------------------------------------


def environment(home: Path, **variables: str) -> dict[str, str]:
    """Return the environment of a command whose data folder is `home`."""
    return {**os.environ, "GUARDIA_HOME": str(home), "COLUMNS": "200", **variables}


def run_process(
    *words: object,
    env: Mapping[str, str],
    check: bool = False,
    timeout: float = 2 * PATIENCE,
    stdin: int | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; `stdin` is a file descriptor."""
    return subprocess.run(
        [*PROGRAM, *map(str, words)],
        env=env,
        stdin=stdin,
        capture_output=True,
        text=True,
        check=check,
        timeout=timeout,
    )


def start_process(*words: object, env: Mapping[str, str], **streams: Any) -> subprocess.Popen[Any]:
    """Start a command, with the streams of `subprocess.Popen`."""
    return subprocess.Popen([*PROGRAM, *map(str, words)], env=env, **streams)


@contextmanager
def running_worker(env: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run `guardia worker` until the end of the block; it ends in order, or is killed."""
    with log.open("ab") as file:
        worker = start_process("worker", env=env, stdout=file, stderr=file)
    try:
        yield worker
    finally:
        worker.terminate()
        try:
            worker.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
