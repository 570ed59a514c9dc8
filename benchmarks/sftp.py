"""How fast a content arrives on a server, against OpenSSH's own sftp, and how much memory it takes.

    make bench NAME=sftp ARGS="--megabytes 1024 --rounds 3"

The server is a loopback sshd with internal-sftp. Our time includes both digests that the server
computes, before and after; sftp verifies nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import BinaryIO

from openssh_server import OpenSSH

from guardia.tools.command import Command, Upload
from guardia.tools.transport.connections import Connections


class File:
    """A store with one file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self, _sha256: str) -> BinaryIO:
        """Open it."""
        return self.path.open("rb")


def ours(server: OpenSSH, content: File, upload: Upload) -> float:
    """Return the seconds of a transfer on a new connection."""
    began = time.perf_counter()
    with Connections(server, contents=content) as connections:
        command = Command.of("rm", upload.path).with_upload(upload)
        done = connections.run(server.host(), command, timeout=60)
    assert done.exit == 0, done
    return time.perf_counter() - began


def openssh(server: OpenSSH, content: File) -> float:
    """Return the seconds of OpenSSH's sftp with the same key and a new connection."""
    options = ["-i", server.folder / "user", "-P", server.port]
    quiet = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    words = ["sftp", "-q", *options, *quiet, "-b", "-", "127.0.0.1"]
    batch = f"put {content.path} guardia-bench\nrm guardia-bench\n"
    began = time.perf_counter()
    subprocess.run([*map(str, words)], input=batch, text=True, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    """Print both rates and the memory of this process."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="gb-"))
    server = OpenSSH(folder / "sshd", more="Subsystem sftp internal-sftp")
    content, digest = File(folder / "content"), hashlib.sha256()
    with content.path.open("wb") as file:
        for number in range(chosen.megabytes):
            piece = number.to_bytes(4, "big") * (1 << 18)
            file.write(piece)
            digest.update(piece)
    upload = Upload(digest.hexdigest(), chosen.megabytes << 20)
    rounds = [
        (ours(server, content, upload), openssh(server, content)) for _ in range(chosen.rounds)
    ]
    server.stop()
    shutil.rmtree(folder)
    for name, seconds in zip(("guardia", "openssh"), zip(*rounds, strict=True), strict=True):
        best = statistics.median(seconds)
        print(f"{name:8} {best:7.2f} s {chosen.megabytes / best:7.1f} MB/s")
    status = Path("/proc/self/status").read_text()
    peak = int(re.search(r"VmHWM:\s+(\d+)", status)[1]) >> 10  # type: ignore[index]
    print(f"peak memory {peak} MB")


if __name__ == "__main__":
    main()
