"""Time of every dashboard card over many tasks, and of keeping their figures.

    make bench NAME=cards ARGS="--tasks 1000000"

The tasks are generated in SQL with triggers off, over 90 days, `--institutions` and `--servers`;
one in a hundred is open. Then the totals are rebuilt. Each card is read for each filter, a few
times: shown are the median and the slowest, in milliseconds.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from board_env import LEAD, BoardEnv, seeded_env

from guardia.board.dashboard import totals
from guardia.board.dashboard.cards import CardFilters
from guardia.board.dashboard.registry import CARDS
from guardia.db.embedded import APPLICATION_ROLE, OWNER_ROLE, Cluster
from guardia.db.migrate import upgrade

_DAYS = 90
_PLACES = """
    insert into tb_inst_meta (inst_id, inst_name)
    select 'I' || n, '기관 ' || n from generate_series(1, %(institutions)s) n;
    insert into tb_server_info (server_id, inst_id, kind)
    select 'S' || n, 'I' || 1 + n %% %(institutions)s, 'WAS' from generate_series(1, %(servers)s) n
"""
_STATUS = """
    case when n % 100 = 0 then
           (array['RECEIVED', 'PENDING_APPROVAL', 'IN_PROGRESS', 'MANUAL'])[1 + n / 100 % 4]
         when n % 50 = 1 then 'FAILED_ROLLBACK' when n % 20 = 2 then 'REJECTED' else 'COMPLETED' end
"""
_ROWS = f"""
    with one as (
        select n, {_STATUS} as status, 1 + n % :servers as server,
               now() - n * interval '{_DAYS} days' / :tasks as moment
          from generate_series(1, :tasks) n),
    issue as (
        insert into tb_sr_request (sr_id, title, body, status, category, priority, inst_id,
                                   assignee_id, agent_id, channel, created_at, updated_at,
                                   closed_at)
        overriding system value
        select n, '서비스 점검 요청 ' || n, '', status, 'DB', 'P' || 1 + n % 4,
               'I' || 1 + server % :institutions, 'eng', 'db-agent', 'web', moment,
               moment + interval '20 min',
               case when n % 100 <> 0 then moment + interval '20 min' end from one)
    insert into tb_ops_task (task_id, sr_id, status, target_server, owner_id, agent_id, by_person,
                             created_at, updated_at)
    overriding system value
    select n, n, status, 'S' || server, 'eng', 'db-agent', n % 3 = 0, moment,
           moment + interval '20 min' from one
"""


def fill(superuser: str, tasks: int, institutions: int, servers: int) -> None:
    """Generate the tasks."""
    numbers = {"institutions": institutions, "servers": servers}
    with psycopg.connect(superuser) as connection:
        connection.execute("set session_replication_role = replica")
        for statement in _PLACES.split(";"):
            connection.execute(statement, numbers)  # type: ignore[arg-type]
        query = _ROWS.replace(":tasks", str(tasks)).replace(":servers", str(servers))
        connection.execute(query.replace(":institutions", str(institutions)))  # type: ignore[arg-type]
        connection.execute(
            "update tb_ops_task set plan_hash = 'x' where status = 'PENDING_APPROVAL'"
        )
        connection.execute(
            "insert into tb_approval (task_id, plan_hash, step, role, state, created_at, opened_at)"
            " select task_id, plan_hash, 1, 'team_lead', 'WAITING', created_at, created_at"
            " from tb_ops_task where plan_hash = 'x'"
        )
        connection.execute(
            "insert into tb_msg_chat_log (channel, external_id, room, sender, text, created_at)"
            f" select 'web', n, '방', 'x', 'y', now() - n * interval '{_DAYS} days' / {tasks}"
            f" from generate_series(1, {tasks}) n"
        )
    with psycopg.connect(superuser, autocommit=True) as connection:
        for table, key in (("tb_sr_request", "sr_id"), ("tb_ops_task", "task_id")):
            connection.execute(f"alter table {table} alter column {key} restart with {tasks + 1}")
        connection.execute("vacuum analyze")


def seconds(act: Callable[[], object]) -> float:
    """Return how long `act` took."""
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def measure_cards(env: BoardEnv, repeat: int) -> dict[str, dict[str, list[float]]]:
    """Return milliseconds (median, slowest) by card and filter."""
    chosen = {
        "30 days": CardFilters(),
        "90 days": CardFilters(90),
        "institution": CardFilters(90, "I1"),
        "server": CardFilters(90, server="S1"),
    }
    found: dict[str, dict[str, list[float]]] = {}
    for card in CARDS:
        for name, filters in chosen.items():
            times = [
                1000 * seconds(lambda c=card, f=filters: c.read(env.board, LEAD, f))  # type: ignore[misc]
                for _ in range(repeat)
            ]
            row = [round(statistics.median(times), 1), round(max(times), 1)]
            found.setdefault(card.name, {})[name] = row
    return found


def main() -> None:
    """Fill a database and measure."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tasks", type=int, default=100_000)
    options.add_argument("--institutions", type=int, default=50)
    options.add_argument("--servers", type=int, default=5_000)
    options.add_argument("--repeat", type=int, default=5)
    given = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="guardia-bench-"))
    folder.chmod(0o711)
    try:
        settings = {"fsync": "off", "max_wal_size": "4GB", "shared_buffers": "512MB"}
        with Cluster(folder / "pg", settings=settings) as cluster:
            cluster.create_roles()
            upgrade(cluster.dsn(OWNER_ROLE))
            with seeded_env(cluster.dsn(APPLICATION_ROLE)) as env:
                superuser = cluster.dsn(cluster.superuser)
                filled = seconds(
                    lambda: fill(superuser, given.tasks, given.institutions, given.servers)
                )
                rebuilt = seconds(lambda: totals.rebuild(env.board))
                report = {
                    "tasks": given.tasks,
                    "fill_seconds": round(filled, 1),
                    "rebuild_seconds": round(rebuilt, 1),
                    "cards_ms_median_max": measure_cards(env, given.repeat),
                    "new_issue_ms": round(1000 * seconds(env.create_issue), 1),
                    "fold_ms": round(1000 * seconds(lambda: totals.fold(env.board)), 1),
                }
        print(json.dumps(report, ensure_ascii=False, indent=1))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
