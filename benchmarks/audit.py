"""Cost of the audit log: appending to it, and verifying it compared with bare SHA-256.

    make bench NAME=audit ARGS="--entries 1000000 --stored 200000 --appends 2000"

Appends run on an embedded PostgreSQL of its own with its usual durability: the transaction of a
comment alone, the same with its audit entry, and entries by several concurrent writers.
`verify` walks entries that are generated in batches, so that neither side waits for a disk: with
their stored canonical bytes, and as entries without them (earlier versions, exports); the bare
figure is SHA-256 over the very same bytes. Memory must not grow with the chain. `stored` is the
whole walk over entries in the database, with its comparison of columns and bytes: seconds on the
clock, and of processor time in this process and in PostgreSQL.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from psycopg.types.json import Jsonb
from server_cpu import server_seconds
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.chain import CHAIN_START, ORIGIN, AnyEntry, ChainEntry, ChainWalk
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.model import Comment
from guardia.board.issues.receiving import NewIssue, open_issue
from guardia.db.embedded import APPLICATION_ROLE, OWNER_ROLE, Cluster
from guardia.db.engine import Database
from guardia.db.migrate import upgrade

BATCH = 20_000
BEGIN = datetime(2026, 11, 20, tzinfo=UTC)
DETAIL = {
    "server": "MOF-DB-01",
    "tool": "database.locks",
    "args": {"service": "budgetdb"},
    "command": "psql -XAtq -f -",
    "ordinal": None,
    "phase": "read",
}


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def batch(after: int, previous: str, count: int) -> list[ChainEntry]:
    """Return entries like those of command intents."""
    made = []
    for n in range(after + 1, after + count + 1):
        link = ChainEntry(
            seq=n,
            created_at=BEGIN + timedelta(milliseconds=n),
            actor="agent:db-agent",
            kind="intent",
            sr_id=n // 20,
            task_id=n // 20,
            log_content="MOF-DB-01 명령 준비: 잠금 대기 확인",
            detail=DETAIL,
            previous_hash=previous,
        )
        previous = link.hash()
        made.append(replace(link, current_hash=previous))
    return made


def verification(entries: int) -> dict[str, float]:
    """Measure entries per second, verified and merely hashed, over the same bytes."""
    walk, composed = ChainWalk(CHAIN_START), ChainWalk(CHAIN_START)
    walked = recomposed = hashed = early = 0.0
    done, head = 0, ORIGIN
    while done < entries:
        links = batch(done, head, min(BATCH, entries - done))
        walked += walk_seconds(walk, [link.stored() for link in links])
        recomposed += walk_seconds(composed, links)
        data = [link.signed_bytes() for link in links]
        started = time.process_time()
        for each in data:
            hashlib.sha256(each).hexdigest()
        hashed += time.process_time() - started
        done, head = done + len(links), links[-1].current_hash
        early = early or peak_mb()
    return {
        "entries": done,
        "entries_per_second": round(done / walked),
        "without_stored_bytes_per_second": round(done / recomposed),
        "bare_sha256_per_second": round(done / hashed),
        "ratio": round(walked / hashed, 2),
        "peak_mb_after_first_batch": round(early, 1),
        "peak_mb": round(peak_mb(), 1),
    }


def walk_seconds(walk: ChainWalk, links: Sequence[AnyEntry]) -> float:
    """Return the processor time of checking these entries."""
    started = time.process_time()
    for link in links:
        if walk.check_entry(link) is not None:
            raise SystemExit(f"entry {link.seq} is not valid")
    return time.process_time() - started


def stored_verification(cluster: Cluster, folder: Path, entries: int) -> dict[str, float]:
    """Measure the walk over entries of the database, and the processor time of both sides."""
    cluster.create_database("stored", owner=OWNER_ROLE)
    upgrade(cluster.dsn(OWNER_ROLE, "stored"))
    fill(cluster.dsn(OWNER_ROLE, "stored"), entries)
    database = Database(cluster.dsn(APPLICATION_ROLE, "stored"))
    try:
        with database.reading() as session:
            clock, own, server = time.perf_counter(), time.process_time(), server_seconds(folder)
            if log.verify_all(session).size != entries:
                raise SystemExit("the stored entries are not valid")
            own = time.process_time() - own
            clock, server = time.perf_counter() - clock, server_seconds(folder) - server
    finally:
        database.close()
    return {
        "entries": entries,
        "entries_per_second": round(entries / clock),
        "entries_per_cpu_second": round(entries / (own + server)),
        "process_cpu_us_each": round(1e6 * own / entries, 1),
        "postgresql_cpu_us_each": round(1e6 * server / entries, 1),
    }


def fill(owner: str, entries: int) -> None:
    """Insert entries as the owner, in bulk, and set the chain's head."""
    done, head = 0, ORIGIN
    with psycopg.connect(owner) as connection:
        while done < entries:
            links = batch(done, head, min(BATCH, entries - done))
            with connection.cursor().copy(
                "copy tb_audit_log (seq, created_at, actor, kind, sr_id, task_id, log_content,"
                " detail, previous_hash, current_hash, canonical) from stdin"
            ) as copy:
                for link in links:
                    values = [getattr(link, name) for name in link.__slots__]
                    values[7] = Jsonb(link.detail)
                    copy.write_row([*values, link.stored().canonical])
            done, head = done + len(links), links[-1].current_hash
        last = (done, head, links[-1].created_at)
        connection.execute("update tb_audit_head set (size, head, last_at) = (%s, %s, %s)", last)
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute("vacuum analyze tb_audit_log")


def per_second(database: Database, count: int, body: Callable[[Session], None]) -> float:
    """Return transactions of `body` per second, run one after the other."""
    started = time.perf_counter()
    for _ in range(count):
        with database.transaction() as session:
            body(session)
    return count / (time.perf_counter() - started)


@contextmanager
def own_cluster() -> Iterator[tuple[Cluster, Path]]:
    """Start an embedded PostgreSQL with its usual settings; yield it with its folder."""
    folder = Path(tempfile.mkdtemp(prefix="gb-"))
    folder.chmod(0o711)
    try:
        with Cluster(folder / "pg") as cluster:
            cluster.create_roles()
            yield cluster, folder / "pg"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def appends(cluster: Cluster, count: int, writers: int) -> dict[str, float]:
    """Measure transactions per second without an entry, with one, and of entries alone."""
    upgrade(cluster.dsn(OWNER_ROLE))
    database = Database(cluster.dsn(APPLICATION_ROLE), pool_size=writers)
    try:
        return _appends(database, count, writers)
    finally:
        database.close()


def _appends(database: Database, count: int, writers: int) -> dict[str, float]:
    now = datetime.now(UTC)
    with database.transaction() as session:
        sr_id = open_issue(session, NewIssue(text="b", channel="web", sender="벤치"), now).sr_id

    def comment(session: Session) -> None:
        session.add(Comment(sr_id=sr_id, author="a", body="의견", created_at=datetime.now(UTC)))
        session.flush()

    def entry(session: Session) -> None:
        log.append(
            session,
            EntryKind.COMMENT,
            actor="a",
            now=datetime.now(UTC),
            sr_id=sr_id,
            detail=DETAIL,
            text="의견",
        )

    def both(session: Session) -> None:
        comment(session)
        entry(session)

    per_second(database, count // 10, both)
    # In turns, so that other work on the machine meets all of them alike.
    turns = [
        [per_second(database, count // 10, each) for each in (comment, entry, both)]
        for _ in range(10)
    ]
    without, alone, together = (statistics.median(part) for part in zip(*turns, strict=True))
    each = max(1, count // writers)
    started = time.perf_counter()
    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(lambda _: per_second(database, each, entry), range(writers)))
    concurrent = each * writers / (time.perf_counter() - started)
    return {
        "appends_per_second": round(alone),
        "transaction_per_second": round(without),
        "with_entry_per_second": round(together),
        "ratio": round(without / together, 2),
        f"appends_per_second_of_{writers}_writers": round(concurrent),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--stored", type=int, default=200_000)
    parser.add_argument("--appends", type=int, default=2000)
    parser.add_argument("--writers", type=int, default=8)
    chosen = parser.parse_args()
    print(json.dumps({"verify": verification(min(chosen.entries, 10_000_000))}))
    with own_cluster() as (cluster, folder):
        stored = min(chosen.stored, 2_000_000)
        print(json.dumps({"stored": stored_verification(cluster, folder, stored)}))
        count = min(max(chosen.appends, 10), 100_000)
        print(json.dumps({"append": appends(cluster, count, chosen.writers)}))


if __name__ == "__main__":
    main()
