"""The bounded process that reads files: `python -m guardia.knowledge.loaders.child`.

It loads the libraries once and forks for each file, so a file costs milliseconds to start, and
memory, processor time and descriptors of one reading are limited and gone with it. It writes no
file and gets no setting of the installation. A line of JSON goes in, a line of JSON comes out.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

MEMORY_BYTES = 1536 << 20
CPU_SECONDS = 120
WALL_SECONDS = 180.0
OUTPUT_BYTES = 64 << 20
IDLE_SECONDS = 120.0
"""Seconds without a request after which the process ends; the next one starts another."""
_PDEATHSIG, _NO_NEW_PRIVILEGES = 1, 38


def main() -> None:
    """Serve requests until the input ends, or nothing was asked for a while."""
    _tie_to_parent()
    from guardia.knowledge.loaders import reading_job

    reading_job.load_libraries()
    limits = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    source = sys.stdin.buffer
    while select.select([source], [], [], IDLE_SECONDS)[0]:
        line = source.readline()
        if not line:
            return
        answer = _serve(json.loads(line), limits)
        sys.stdout.buffer.write(answer + b"\n")
        sys.stdout.buffer.flush()


def _serve(request: Mapping[str, Any], limits: Mapping[str, float]) -> bytes:
    """Read one file in a child; return its answer, or why there is none."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _read_in_child(request, limits, writer)
    os.close(writer)
    try:
        answer, late = _receive(reader, limits.get("wall", WALL_SECONDS))
    finally:
        os.close(reader)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    if late:
        return _problem("too_slow")
    if answer.endswith(b"}"):
        return answer
    ended_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    return _problem("too_slow" if ended_by == signal.SIGXCPU else "crashed")


def _receive(reader: int, seconds: float) -> tuple[bytes, bool]:
    """Return what the child writes, and whether it took too long."""
    deadline = time.monotonic() + seconds
    answer = bytearray()
    while select.select([reader], [], [], max(0.0, deadline - time.monotonic()))[0]:
        piece = os.read(reader, 1 << 20)
        if not piece:
            return bytes(answer), False
        answer += piece
        if len(answer) > OUTPUT_BYTES:
            return b"", False
    return b"", True


def _read_in_child(request: Mapping[str, Any], limits: Mapping[str, float], writer: int) -> None:
    """Read the file under limits, write the answer and end this process."""
    try:
        _tie_to_parent()
        _limit(limits)
        os.close(0)
        from guardia.knowledge.loaders import reading_job

        answer = reading_job.run(request)
    except MemoryError:
        answer = _problem("too_much_memory")
    except BaseException as error:  # whatever a library raises: this child only answers
        answer = _problem("crashed", type(error).__name__)
    with suppress(OSError):
        view = memoryview(answer)
        while view:
            view = view[os.write(writer, view) :]
    os._exit(0)


def _limit(limits: Mapping[str, float]) -> None:
    memory = int(limits.get("memory", MEMORY_BYTES))
    cpu = int(limits.get("cpu", CPU_SECONDS))
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        hard = resource.getrlimit(what)[1]
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (allowed, allowed))
    ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    os.nice(5)


def _tie_to_parent() -> None:
    """End with the parent, however that ends."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _problem(name: str, what: str = "") -> bytes:
    return json.dumps({"problem": name, "values": {"what": what}}).encode()


if __name__ == "__main__":
    main()
