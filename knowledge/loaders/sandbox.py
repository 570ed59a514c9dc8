"""Read files in the bounded process, one at a time; start it when it is needed."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from guardia.knowledge.loaders import child

_SLACK = 20.0
"""Seconds that the process may take beyond the time of a reading, to start and to answer."""
_KEPT = ("PATH", "LD_LIBRARY_PATH", "TZ")
"""Variables that the process gets; no setting and no secret is among them."""


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage as it is stored."""

    heading_path: tuple[str, ...]
    page: int | None
    sheet: str
    text: str
    sha256: str


@dataclass(frozen=True, slots=True)
class FileContent:
    """What was read from a file, or why it could not be read."""

    format: str = ""
    pages: int = 0
    body: str = ""
    passages: tuple[FoundPassage, ...] = ()
    problem: str = ""
    """A name of `documents.problem`; empty: it was read."""
    values: Mapping[str, str] = field(default_factory=dict)
    milliseconds: int = 0


class Sandbox:
    """The bounded process; thread-safe."""

    def __init__(self, limits: Mapping[str, float] | None = None) -> None:
        self._limits = dict(limits or {})
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, path: Path, name: str, runbook: str = "") -> FileContent:
        """Read a file by its name; `runbook` is the id that a runbook must have. Never raises."""
        request = json.dumps(
            {"path": str(path.absolute()), "name": name, "runbook": runbook}
        ).encode()
        began = time.monotonic()
        with self._lock:
            # The process may have ended while it was idle.
            answer = self._ask(request) or self._ask(request)
        taken = round((time.monotonic() - began) * 1000)
        return _content(answer or {"problem": "crashed"}, taken)

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _ask(self, request: bytes) -> dict[str, Any] | None:
        process = self._process = self._process or self._start()
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(request + b"\n")
            process.stdin.flush()
            line = self._line(process.stdout.fileno())
        except OSError:
            line = b""
        if not line:
            self._end()
            return None
        found: dict[str, Any] = json.loads(line)
        return found

    def _line(self, output: int) -> bytes:
        deadline = time.monotonic() + self._limits.get("wall", child.WALL_SECONDS) + _SLACK
        line = bytearray()
        while select.select([output], [], [], max(0.0, deadline - time.monotonic()))[0]:
            piece = os.read(output, 1 << 20)
            line += piece
            if not piece or line.endswith(b"\n"):
                return bytes(line) if line.endswith(b"\n") else b""
        return b""

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", child.__name__, json.dumps(self._limits)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            cwd="/",
        )

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):
                    if pipe is not None:
                        pipe.close()


def _environment() -> dict[str, str]:
    kept = {name: value for name in _KEPT if (value := os.environ.get(name))}
    paths = os.pathsep.join(os.path.abspath(one) for one in sys.path if one)
    return kept | {"LANG": "C.UTF-8", "PYTHONPATH": paths}


def _content(answer: Mapping[str, Any], taken: int) -> FileContent:
    if answer.get("problem"):
        return FileContent(
            problem=answer["problem"], values=answer.get("values", {}), milliseconds=taken
        )
    passages = (
        FoundPassage(tuple(path), page, sheet, text, digest)
        for path, page, sheet, text, digest in answer["passages"]
    )
    return FileContent(
        answer["format"],
        answer["pages"],
        answer["body"],
        tuple(passages),
        milliseconds=taken,
    )
