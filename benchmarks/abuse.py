"""How fast the board answers a person while strangers, one account and one sender flood it.

    make bench NAME=abuse ARGS="--seconds 20 --files 1024"

A real board process over a PostgreSQL of its own, with a limit of open files. A person who is
signed in reads the list of issues ten times a second, first alone, then while a second process
keeps up 1,100 half-open connections, 1,000 live streams of one account, and 300 requests a minute
of one sender, all from loopback. The report is JSON: milliseconds (p50, p99, most) alone and under
the abuse, the ratio, what the abuse got, issues opened, files open and bytes of log.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from board_env import BoardEnv, seeded_env
from limited_board import HALVES, limited_board
from page_env import PAGE, PASSWORD, enrol_page_users
from sqlalchemy import text

from guardia.board.accounts import sign_in
from guardia.db.embedded import APPLICATION_ROLE, OWNER_ROLE, Cluster
from guardia.db.migrate import upgrade

HALF_OPEN, STREAMS, PER_MINUTE = 1100, 1000, 300
PAUSE = 2.0
"""Seconds after which a flood opens a connection again that the board has closed, as browsers do
with streams."""
MESSENGER_TOKEN = "abuse"


def main() -> None:
    """Measure and print."""
    options = arguments()
    if options.flood:
        asyncio.run(flood(options.flood, options.token))
        return
    with tempfile.TemporaryDirectory(prefix="guardia-abuse-") as folder:
        Path(folder).chmod(0o711)
        with Cluster(Path(folder) / "pg") as cluster:
            cluster.create_roles()
            cluster.create_database("abuse", owner=OWNER_ROLE)
            upgrade(cluster.dsn(OWNER_ROLE, "abuse"))
            with seeded_env(cluster.dsn(APPLICATION_ROLE, "abuse")) as env:
                print(json.dumps(measure(env, options), ensure_ascii=False, indent=2))


def arguments() -> argparse.Namespace:
    """Return the options; `--flood` and `--token` are for the second process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--files", type=int, default=1024)
    parser.add_argument("--flood", default="", help=argparse.SUPPRESS)
    parser.add_argument("--token", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(env: BoardEnv, options: argparse.Namespace) -> dict[str, Any]:
    """Return the report."""
    enrol_page_users(env)
    for _ in range(20):
        env.create_issue()
    person, abuser = (sign_in.sign_in(env.board, who, PASSWORD) for who in ("lead", "eng"))
    assert person and abuser
    settings = {"messenger_token": MESSENGER_TOKEN}
    with limited_board(env.dsn, options.files, **settings) as (site, pid, log):
        read_pages(site, person, 2)
        alone = read_pages(site, person, options.seconds)
        before, bytes_before = issues(env), log.stat().st_size
        with flooding(site, abuser) as counts:
            abused = read_pages(site, person, options.seconds)
            files = len(os.listdir(f"/proc/{pid}/fd"))
        return {
            "alone_ms": alone,
            "abused_ms": abused,
            "ratio_p50": round(abused["p50"] / alone["p50"], 1),
            "ratio_p99": round(abused["p99"] / alone["p99"], 1),
            "within_1_s": abused["most"] <= 1000 and not abused["failed"],
            "files_open": files,
            "issues_opened": issues(env) - before,
            "log_bytes": log.stat().st_size - bytes_before,
            "flood": counts,
        }


def read_pages(site: str, token: str, seconds: float) -> dict[str, float]:
    """Read the list of issues ten times a second, each time over a new connection."""
    took, failed, end = [], 0, time.monotonic() + seconds
    while time.monotonic() < end:
        begun = time.monotonic()
        try:
            answer = httpx.get(
                f"{site}/issues", cookies={"guardia_session": token}, headers=PAGE, timeout=10
            )
            failed += answer.status_code != 200
        except httpx.HTTPError:
            failed += 1
        took.append((time.monotonic() - begun) * 1000)
        time.sleep(max(0.0, 0.1 - (time.monotonic() - begun)))
    took.sort()
    place = [round(took[int(share * (len(took) - 1))], 1) for share in (0.5, 0.99, 1)]
    return dict(zip(("p50", "p99", "most"), place, strict=True)) | {
        "requests": len(took),
        "failed": failed,
    }


def issues(env: BoardEnv) -> int:
    """Return how many issues there are."""
    with env.board.database.reading() as session:
        return session.scalar(text("select count(*) from tb_sr_request")) or 0


@contextmanager
def flooding(site: str, token: str) -> Iterator[dict[str, int]]:
    """Flood the board from another process; yields its counts, which it fills at the end."""
    counts: dict[str, int] = {}
    with tempfile.NamedTemporaryFile(prefix="guardia-flood-") as report:
        command = [sys.executable, __file__, "--flood", site, "--token", token]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=report)
        try:
            while "begun" not in Path(report.name).read_text():
                assert child.poll() is None, "the flood did not begin"
                time.sleep(0.1)
            yield counts
            assert child.stdin
            child.stdin.close()
            child.wait(30)
            counts.update(json.loads(Path(report.name).read_text().splitlines()[-1]))
        finally:
            child.kill()
            child.wait()


async def flood(site: str, token: str) -> None:
    """Flood until standard input is closed, then print what happened."""
    host, port = site.removeprefix("http://").split(":")
    counts: Counter[str] = Counter()
    stream = (
        f"GET /events HTTP/1.1\r\nhost: {host}\r\ncookie: guardia_session={token}\r\n\r\n"
    ).encode()
    halves = list(HALVES.values())
    tasks = [
        asyncio.create_task(keep_open(host, port, halves[n % len(halves)], "half_open", counts))
        for n in range(HALF_OPEN)
    ]
    tasks += [
        asyncio.create_task(keep_open(host, port, stream, "streams", counts))
        for _ in range(STREAMS)
    ]
    tasks.append(asyncio.create_task(post(site, counts)))
    while counts["half_open_opened"] < HALF_OPEN or counts["streams_opened"] < STREAMS:
        await asyncio.sleep(0.1)
    print("begun", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    print(json.dumps(dict(counts)))


async def keep_open(host: str, port: str, sent: bytes, kind: str, counts: Counter[str]) -> None:
    """Keep one connection open, again whenever the board has closed it."""
    while True:
        writer = None
        with suppress(OSError):
            reader, writer = await asyncio.open_connection(host, int(port))
            counts[f"{kind}_opened"] += 1
            writer.write(sent)
            while await reader.read(65536):
                pass
        if writer is not None:
            writer.close()
        await asyncio.sleep(PAUSE)


async def post(site: str, counts: Counter[str]) -> None:
    """Post requests of one sender at a steady pace, and count the answers."""
    body = {"token": MESSENGER_TOKEN, "channel_name": "room", "user_id": "u", "user_name": "u"}
    async with httpx.AsyncClient(timeout=10) as client:
        for number in range(1_000_000):
            text = {"post_id": f"p{number}", "text": "운영DB가 느려요"}
            try:
                answer = await client.post(f"{site}/intake/mattermost", json={**body, **text})
                said = str(answer.json().get("text", ""))
                answered = answer.status_code == 200
                kind = "received" if said.startswith("SR-") else "refused"
                counts[kind if answered else f"failed: {answer.status_code}"] += 1
            except (httpx.HTTPError, ValueError) as error:
                counts[f"failed: {type(error).__name__}"] += 1
            await asyncio.sleep(60 / PER_MINUTE)


if __name__ == "__main__":
    main()
