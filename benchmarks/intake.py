"""How many webhooks a second the board answers, and what is lost when it is killed under load.

    make bench NAME=intake ARGS="--seconds 10 --clients 8"
    make bench NAME=intake ARGS="--rate 20"      20 messages a second, as a busy day has them

A real board process over a PostgreSQL of its own. Clients send messages as Mattermost and as Slack
do, each a new request of another sender. Then Slack goes on while the board is killed (SIGKILL)
and started again, and repeats what got no 2xx, as Slack does. The report is JSON: answers a
second, milliseconds (p50, p95, p99, most), the board's processor time for one, and for the restart
how many messages have no issue (`lost`) or several (`doubled`), and how many replies are missing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from board_env import BoardEnv, seeded_env
from limited_board import limited_board
from slack_server import SECRET, signed
from sqlalchemy import text

from guardia.db.embedded import APPLICATION_ROLE, OWNER_ROLE, Cluster
from guardia.db.migrate import upgrade

TOKEN = "bench"
SETTINGS = {
    "messenger_token": TOKEN,
    "slack_signing_secret": SECRET,
    "requests_per_room": "1000000",
}
_numbers = itertools.count(1)


@dataclass
class Post:
    """A message as a messenger sends it."""

    path: str
    body: bytes
    headers: dict[str, str]


@dataclass
class Load:
    """Clients that send one message after the other, and how long each answer took."""

    sites: list[str]
    """Addresses of the board; the last one is the present one."""
    make: Callable[[int], Post]
    took: list[float] = field(default_factory=list)
    sent: int = 0
    retries: int = 0
    pause: float = 0.0
    """Seconds of a client from the beginning of a message to that of the next one."""
    ending: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def run(self, later: float) -> None:
        """Send until the end, after `later` seconds: clients of one pause take turns."""
        self.ending.wait(later)
        with httpx.Client(timeout=10) as client:
            while not self.ending.is_set():
                begun = time.monotonic()
                self._deliver(client, self.make(next(_numbers)))
                self.ending.wait(max(0.0, begun + self.pause - time.monotonic()))

    def _deliver(self, client: httpx.Client, post: Post) -> None:
        """Send a message until it is answered with 2xx."""
        self.sent += 1
        while True:
            begun = time.monotonic()
            try:
                url = f"{self.sites[-1]}{post.path}"
                answer = client.post(url, content=post.body, headers=post.headers)
                if answer.is_success:
                    self.took.append((time.monotonic() - begun) * 1000)
                    return
            except httpx.HTTPError:
                pass
            self.retries += 1
            time.sleep(0.2)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--rate", type=float, default=0, help="messages a second; 0: at most")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="guardia-intake-") as folder:
        Path(folder).chmod(0o711)
        with Cluster(Path(folder) / "pg") as cluster:
            cluster.create_roles()
            cluster.create_database("intake", owner=OWNER_ROLE)
            upgrade(cluster.dsn(OWNER_ROLE, "intake"))
            with seeded_env(cluster.dsn(APPLICATION_ROLE, "intake")) as env:
                pause = options.clients / options.rate if options.rate else 0.0
                found = measure(env, options.seconds, options.clients, pause)
                print(json.dumps(found, ensure_ascii=False, indent=2))


def measure(env: BoardEnv, seconds: float, clients: int, pause: float) -> dict[str, Any]:
    """Return the report."""
    report: dict[str, Any] = {}
    with limited_board(env.dsn, **SETTINGS) as (site, pid, _):
        wait_until_ready(site)
        for name, make in (("mattermost", mattermost), ("slack", slack)):
            used = cpu_seconds(pid)
            with loading(Load([site], make, pause=pause), clients) as load:
                time.sleep(seconds)
            report[name] = figures(load, seconds)
            report[name]["cpu_ms"] = round((cpu_seconds(pid) - used) * 1000 / load.sent, 1)
    before = counts(env)
    with limited_board(env.dsn, **SETTINGS) as (first, pid, _):
        wait_until_ready(first)
        with loading(Load([first], slack, pause=pause), clients) as load:
            time.sleep(seconds / 2)
            os.kill(pid, signal.SIGKILL)
            with limited_board(env.dsn, **SETTINGS) as (second, _, _):
                load.sites.append(second)
                wait_until_ready(second)
                time.sleep(seconds / 2)
                load.ending.set()
                finish(load)
        issues, replies, doubled = (
            now - then for now, then in zip(counts(env), before, strict=True)
        )
        report["restart"] = {
            "messages": load.sent,
            "repeated": load.retries,
            "lost": load.sent - (issues - doubled),
            "doubled": doubled,
            "replies_missing": load.sent - replies,
        }
    return report


def wait_until_ready(site: str) -> None:
    """Wait until a new board answers."""
    assert httpx.get(f"{site}/healthz", timeout=60).is_success


@contextmanager
def loading(load: Load, clients: int) -> Iterator[Load]:
    """Run the clients during the block."""
    later = load.pause / clients
    load.threads = [threading.Thread(target=load.run, args=(n * later,)) for n in range(clients)]
    for thread in load.threads:
        thread.start()
    yield load
    load.ending.set()
    finish(load)


def finish(load: Load) -> None:
    """Wait until every message that was begun is answered."""
    for thread in load.threads:
        thread.join()


def figures(load: Load, seconds: float) -> dict[str, float]:
    """Return answers a second and milliseconds."""
    took = sorted(load.took)
    place = [round(took[int(share * (len(took) - 1))], 1) for share in (0.5, 0.95, 0.99, 1)]
    return {"answers_per_s": round(len(took) / seconds, 1)} | dict(
        zip(("p50_ms", "p95_ms", "p99_ms", "most_ms"), place, strict=True)
    )


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def mattermost(number: int) -> Post:
    """Return a request as Mattermost sends it."""
    body = {
        "token": TOKEN,
        "post_id": f"p{number}",
        "channel_name": "bench",
        "user_id": f"u{number}",
        "user_name": "kim",
        "text": f"기재부 운영DB 쿼리가 너무 느려요 {number}",
    }
    return Post(
        "/intake/mattermost", json.dumps(body).encode(), {"content-type": "application/json"}
    )


def slack(number: int) -> Post:
    """Return a request as Slack sends it."""
    event = {
        "type": "message",
        "user": f"U{number}",
        "text": f"기재부 운영DB 쿼리가 너무 느려요 {number}",
        "channel": "C1",
        "ts": f"1.{number:06}",
    }
    body = {"type": "event_callback", "event_id": f"Ev{number}", "event": event}
    request = signed("/intake/slack/events", json.dumps(body), "application/json")
    return Post(request.path, request.body.encode(), request.headers)


def counts(env: BoardEnv) -> tuple[int, int, int]:
    """Return the issues of Slack, its replies, and how many issues repeat a message."""
    queries = (
        "select count(*) from tb_sr_request where channel = 'slack'",
        "select count(*) from tb_outbox where channel = 'slack'",
        "select count(*) - count(distinct body) from tb_sr_request where channel = 'slack'",
    )
    with env.board.database.reading() as session:
        issues, replies, doubled = (session.scalar(text(query)) or 0 for query in queries)
    return issues, replies, doubled


if __name__ == "__main__":
    main()
