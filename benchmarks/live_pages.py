"""What a board process costs with many live pages open: memory, CPU, and the delay of an event.

    make bench NAME=live_pages ARGS="--pages 200 --seconds 20"

A real board process over a PostgreSQL of its own. Pages of the issue list are opened as event
streams of several people; issues are received at one a second. The report is JSON: the process's
memory (MB) without and with the pages, its CPU share in percent while nothing happens and while
events arrive, and milliseconds (p50, most) from an event's commit to its arrival at every page.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from board_env import BoardEnv, seeded_env
from limited_board import limited_board
from page_env import PASSWORD, enrol_page_users

from guardia.board.accounts import sign_in
from guardia.db.embedded import APPLICATION_ROLE, OWNER_ROLE, Cluster
from guardia.db.migrate import upgrade

_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="guardia-live-") as folder:
        Path(folder).chmod(0o711)
        with Cluster(Path(folder) / "pg") as cluster:
            cluster.create_roles()
            cluster.create_database("live", owner=OWNER_ROLE)
            upgrade(cluster.dsn(OWNER_ROLE, "live"))
            dsn = cluster.dsn(APPLICATION_ROLE, "live")
            with seeded_env(dsn) as env:
                enrol_page_users(env)
                bounds = {"streams_per_person": str(options.pages)}
                with limited_board(dsn, 4096, **bounds) as (address, pid, _):
                    found = asyncio.run(measure(env, address, pid, options))
                    print(json.dumps(found, indent=2))


async def measure(
    env: BoardEnv, address: str, pid: int, options: argparse.Namespace
) -> dict[str, Any]:
    """Open the pages, wait, receive issues, and return the figures."""
    people = ("eng", "lead", "admin", "audit")
    tokens = [await asyncio.to_thread(_token, env, name) for name in people]
    limits = httpx.Limits(max_connections=options.pages + 10)
    async with httpx.AsyncClient(base_url=address, limits=limits, timeout=None) as client:
        while True:
            try:
                await client.get("/healthz")
                break
            except httpx.ConnectError:
                await asyncio.sleep(0.2)
        before = memory(pid)
        arrived: list[float] = []
        pages = [
            asyncio.create_task(read(client, tokens[n % len(tokens)], arrived))
            for n in range(options.pages)
        ]
        await asyncio.sleep(5)
        quiet = await share(pid, options.seconds)
        with_pages, delays = memory(pid), []
        begun, used = time.monotonic(), cpu(pid)
        for _ in range(options.seconds):
            arrived.clear()
            await asyncio.to_thread(env.create_issue)
            at = time.time()
            await asyncio.sleep(1)
            delays += [(one - at) * 1000 for one in arrived]
        busy = (cpu(pid) - used) / (time.monotonic() - begun) * 100
        for page in pages:
            page.cancel()
    delays.sort()
    return {
        "pages": options.pages,
        "memory_mb": {"without": before, "with": with_pages},
        "cpu_percent": {"quiet": round(quiet, 1), "one_event_a_second": round(busy, 1)},
        "events": {"expected": options.pages * options.seconds, "arrived": len(delays)},
        "delay_ms": {
            "p50": round(delays[len(delays) // 2]) if delays else None,
            "most": round(delays[-1]) if delays else None,
        },
    }


def _token(env: BoardEnv, person: str) -> str:
    return sign_in.sign_in(env.board, person, PASSWORD, source="bench")


async def read(client: httpx.AsyncClient, token: str, arrived: list[float]) -> None:
    """Read one event stream and note when each event arrives."""
    cookies = {"cookie": f"guardia_session={token}"}
    async with client.stream("GET", "/events?seen=0", headers=cookies) as stream:
        async for line in stream.aiter_lines():
            if line.startswith("event: issue"):
                arrived.append(time.time())


async def share(pid: int, seconds: int) -> float:
    """Return the share of one core that a process uses."""
    used = cpu(pid)
    await asyncio.sleep(seconds)
    return (cpu(pid) - used) / seconds * 100


def cpu(pid: int) -> float:
    """Return the CPU seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory(pid: int) -> int:
    """Return the resident memory of a process in MB."""
    for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) // 1024
    return 0


if __name__ == "__main__":
    main()
