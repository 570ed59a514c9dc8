"""A login log as written by an SSH server, with a refused login now and then.

Standard library only. `--root` is the service's folder, `--logs` that of its logs.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import socket
import time
from pathlib import Path
from types import FrameType

LIMIT = 1_000_000
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
STAFF = ("operator", "backup", "monitor")
GUESSES = ("admin", "root", "test", "oracle", "guest")
# Addresses reserved for examples.
INSIDE = ("192.0.2.10", "192.0.2.11", "192.0.2.24")
OUTSIDE = ("203.0.113.7", "203.0.113.7", "203.0.113.7", "198.51.100.23", "198.51.100.90")


def format_line(moment: float, host: str, choice: random.Random) -> str:
    """Format one line; about one in six is a refused login."""
    now = time.localtime(moment)
    stamp = f"{MONTHS[now.tm_mon - 1]} {now.tm_mday:>2} {time.strftime('%H:%M:%S', now)}"
    head = f"{stamp} {host} sshd[{choice.randrange(2000, 30000)}]:"
    port = choice.randrange(40000, 60000)
    if choice.random() < 1 / 6:
        user, address = choice.choice(GUESSES), choice.choice(OUTSIDE)
        return f"{head} Failed password for invalid user {user} from {address} port {port} ssh2\n"
    user, address = choice.choice(STAFF), choice.choice(INSIDE)
    return f"{head} Accepted publickey for {user} from {address} port {port} ssh2\n"


def exit_on_signal(_number: int, _frame: FrameType | None) -> None:
    """End on request."""
    raise SystemExit(0)


def main() -> None:
    """Write the last hours at once, then go on at a realistic pace."""
    parser = argparse.ArgumentParser()
    for name in ("--root", "--logs", "--name", "--host"):
        parser.add_argument(name, required=True)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, exit_on_signal)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    choice, log = random.Random(), Path(given.logs, "auth.log")
    host = given.host or socket.gethostname()
    if not log.exists():
        start = time.time() - 6 * 3600
        history = [format_line(start + n * 72, host, choice) for n in range(300)]
        log.write_text("".join(history), "utf-8")
    Path(given.root, "run", f"{given.name}.ready").write_text(str(os.getpid()), "ascii")
    while True:
        time.sleep(choice.uniform(5, 12))
        if log.exists() and log.stat().st_size > LIMIT:
            log.replace(log.with_suffix(".log.1"))
        with log.open("a", encoding="utf-8") as file:
            file.write(format_line(time.time(), host, choice))


if __name__ == "__main__":
    main()
