"""A store of contents in memory, and calls of tools with their checks, over real SSH."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import jmespath
import pytest

from guardia.board.core.plan import Action, Check, ToolCall
from guardia.errors import Refused
from guardia.org.directory import Host
from guardia.tools import planning
from guardia.tools.transport.connections import Connections


@dataclass
class Contents:
    """A store of contents in memory."""

    by_digest: dict[str, bytes] = field(default_factory=dict)

    def add(self, content: bytes) -> dict[str, Any]:
        """Keep a content; return the arguments that name it."""
        sha256 = hashlib.sha256(content).hexdigest()
        self.by_digest[sha256] = content
        return {"sha256": sha256, "size": len(content)}

    def open(self, sha256: str) -> BinaryIO:
        """Open a content."""
        if sha256 not in self.by_digest:
            raise Refused(why=sha256)
        return io.BytesIO(self.by_digest[sha256])


@dataclass
class Deployer:
    """Runs calls on one host and evaluates the checks of their actions."""

    host: Host
    connections: Connections
    contents: Contents

    def plan(self, tool: str, **args: Any) -> Action:
        """Build the action of a call."""
        return planning.propose(ToolCall(tool=tool, args=args), self.host)

    def run(self, call: ToolCall | None) -> dict[str, Any]:
        """Run a call and return its findings."""
        assert call is not None
        tool, _, command = planning.prepare(call, self.host)
        found: dict[str, Any] = tool.parse(
            self.connections.run(self.host, command, timeout=tool.timeout)
        )
        return found

    def ask(self, tool: str, **args: Any) -> dict[str, Any]:
        """Run a read."""
        return self.run(ToolCall(tool=tool, args=args))

    def holds(self, checks: tuple[Check, ...]) -> bool:
        """Return whether all checks hold."""
        return all(self._holds(check) for check in checks)

    def _holds(self, check: Check) -> bool:
        end = time.monotonic() + check.within
        while not jmespath.search(check.expect, self.run(check.call)):
            if time.monotonic() >= end:
                return False
            time.sleep(0.1)
        return True


def archive(files: dict[str, bytes], mode: str = "w:gz") -> bytes:
    """Return an archive of files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as tar:  # type: ignore[call-overload]
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


@contextmanager
def small_volume(folder: Path, size: str) -> Iterator[None]:
    """Mount a small volume on a folder for the block, or skip the test."""
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a small volume")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
