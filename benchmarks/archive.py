"""How many lines of a running writer an archive of its log loses, and how long it takes.

    make bench NAME=archive ARGS="--megabytes 50 --rounds 5"

As with logrotate's copytruncate, what comes between the last look and the cut is lost. The server
is a loopback sshd; the writer appends a line after each pause to a log that is being archived.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import threading
import time
from pathlib import Path

from log_files import archive, archived, line, lines, numbers, service_of
from openssh_server import OpenSSH

from guardia.tools.transport.connections import Connections

PAUSES = (0.01, 0.002, 0.0)


def measure(server: OpenSSH, root: Path, megabytes: int, pause: float) -> tuple[int, int, float]:
    """Return the lines written and lost during one archive, and its seconds."""
    log = root / "logs" / "app.log"
    log.parent.mkdir(parents=True)
    log.write_bytes(lines(megabytes * 20_000))
    count, over = 0, threading.Event()

    def write() -> None:
        nonlocal count
        with log.open("ab", buffering=0) as file:
            while not over.is_set():
                file.write(line(count))
                count += 1
                time.sleep(pause)

    writer = threading.Thread(target=write)
    writer.start()
    began = time.perf_counter()
    with Connections(server) as connections:
        archive(connections, server.host(service_of(root)))
    seconds = time.perf_counter() - began
    over.set()
    writer.join()
    return count, count - len(numbers(archived(root) + log.read_bytes())), seconds


def main() -> None:
    """Print the worst of the rounds for each pause."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="gb-"))
    server = OpenSSH(folder / "sshd")
    try:
        print(f"{'pause ms':>9}{'lines':>9}{'lost, worst':>12}{'seconds, median':>17}")
        for pause in PAUSES:
            runs = [
                measure(server, folder / f"srv-{pause}-{n}", chosen.megabytes, pause)
                for n in range(chosen.rounds)
            ]
            written, lost, seconds = zip(*runs, strict=True)
            median = statistics.median(seconds)
            print(f"{1000 * pause:9.0f}{max(written):9}{max(lost):12}{median:17.2f}")
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
