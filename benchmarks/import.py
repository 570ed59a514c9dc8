"""Import of 10,000 servers at 1,000 institutions, against a plain COPY of the same rows.

    make bench NAME=import
    make bench NAME=import ARGS="--servers 2000"

Real: a PostgreSQL of its own with ordinary settings, the shipped chart, a CSV file on disk. Each
figure is wall time, and a ratio to the floor of the same run: COPY of the same rows into both
tables with their triggers, and of the rows of the history. The aim is under a minute on one core.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from guardia.agents import checkpoints
from guardia.board.cmdb import applying, cmdb_yaml, entries
from guardia.board.cmdb.applying import ChangeSet
from guardia.board.cmdb.imports.decoding import read_file
from guardia.board.cmdb.imports.export import servers_as_csv
from guardia.board.cmdb.imports.known_hosts import read_known_hosts
from guardia.board.cmdb.imports.reading import ServerImport, read_servers
from guardia.board.cmdb.yaml_file import read_change_set
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.keyless import keyless_context
from guardia.db.embedded import APPLICATION_ROLE, OWNER_ROLE, Cluster
from guardia.db.engine import Database
from guardia.db.migrate import upgrade

BY = Actor.operator("benchmark")
KINDS = ("WEB", "WAS", "DB")
SERVICES = '[{""name"": ""app"", ""kind"": ""http"", ""port"": 8080, ""health"": ""/health""}]'


@contextmanager
def board_of(cluster: Cluster, name: str) -> Iterator[tuple[BoardContext, str]]:
    """Open a board over a new database."""
    cluster.create_database(name, owner=OWNER_ROLE)
    owner = cluster.dsn(OWNER_ROLE, name)
    checkpoints.setup(owner)
    upgrade(owner)
    database = Database(cluster.dsn(APPLICATION_ROLE, name))
    try:
        yield keyless_context(database), owner
    finally:
        database.close()


def write_csv(path: Path, institutions: int, servers: int) -> None:
    """Write a file of servers as an operator would have it."""
    lines = ["서버,기관,기관명,종류,별칭,그룹,주소,포트,접속 계정,인증 정보,서비스"]
    for n in range(servers):
        home, kind = n % institutions, KINDS[n % 3]
        lines.append(
            f"I{home:04d}-{kind}-{n:05d},I{home:04d},시험기관 {home:04d},{kind},"
            f"시험기관 {home:04d} {kind} {n}호기,{kind.lower()}; prod,"
            f'10.{n // 62500}.{n // 250 % 250}.{n % 250 + 1},22,svc,site-key,"{SERVICES}"'
        )
    path.write_text("\n".join(lines) + "\n", "utf-8")


def floor(owner: str, given: ChangeSet) -> Callable[[], None]:
    """Return a COPY of the rows that the import writes."""
    institutions = [d.values for d in given.drafts if d.kind == "institution"]
    servers = [d.values for d in given.drafts if d.kind == "server"]

    def copy() -> None:
        with psycopg.connect(owner) as connection, connection.cursor() as cursor:
            with cursor.copy("copy tb_inst_meta (inst_id, inst_name) from stdin") as out:
                for i in institutions:
                    out.write_row((i["id"], i["name"]))
            columns = "server_id, inst_id, kind, aliases, groups, address, account, services"
            with cursor.copy(f"copy tb_server_info ({columns}) from stdin") as out:
                for s in servers:
                    lists = (json.dumps(s["aliases"]), json.dumps(s["groups"]))
                    out.write_row(
                        (
                            s["id"],
                            s["institution"],
                            s["kind"],
                            *lists,
                            s["address"],
                            s["account"],
                            json.dumps(s["services"]),
                        )
                    )
            cursor.execute(
                "insert into tb_cmdb_revision (source, sha256, changes, author, created_at)"
                " values ('floor', '', 0, 'benchmark', now()) returning revision"
            )
            found = cursor.fetchone()
            assert found is not None
            columns = "revision, kind, key, after"
            with cursor.copy(f"copy tb_cmdb_change ({columns}) from stdin") as out:
                for draft in given.drafts:
                    values = json.dumps(dict(draft.values), ensure_ascii=False)
                    out.write_row((found[0], draft.kind, draft.key, values))

    return copy


def timed(what: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--servers", type=int, default=10_000)
    parser.add_argument("--institutions", type=int, default=1_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="guardia-bench-") as folder:
        Path(folder).chmod(0o711)
        file = Path(folder) / "servers.csv"
        write_csv(file, given.institutions, given.servers)
        with Cluster(Path(folder) / "pg") as cluster:
            cluster.create_roles()
            with board_of(cluster, "floor") as (_, owner):
                lowest = timed(floor(owner, read_servers(read_file(file), ServerImport())))
            print(f"{'COPY of the same rows':34} {lowest:7.2f} s   1.0")
            with board_of(cluster, "board") as (board, _):
                for name, what in steps(board, file).items():
                    seconds = timed(what)
                    print(f"{name:34} {seconds:7.2f} s {seconds / lowest:5.1f}")


def steps(board: BoardContext, file: Path) -> dict[str, Callable[[], object]]:
    """Return what is measured, in its order."""
    known = read_known_hosts("")
    texts: dict[str, str] = {}

    def read() -> ChangeSet:
        return read_servers(read_file(file), ServerImport(keys=known))

    def export() -> None:
        texts["yaml"] = cmdb_yaml.export(entries.all_entries(board))

    def plan() -> None:
        target = file.with_suffix(".yaml")
        target.write_text(texts["yaml"], "utf-8")
        found = applying.preview(board, read_change_set(read_file(target)))
        assert not found.changes and not found.bad

    def csv_again() -> None:
        servers = entries.entries(board, "server")
        text = servers_as_csv(servers, entries.entries(board, "institution"))
        target = file.with_name("again.csv")
        target.write_text(text, "utf-8", newline="")
        again = applying.preview(board, read_servers(read_file(target), ServerImport()))
        assert not again.changes and not again.bad

    return {
        "read and check the file": read,
        "dry run": lambda: applying.preview(board, read()),
        "import": lambda: applying.apply(board, BY, read()),
        "import again (nothing changes)": lambda: applying.apply(board, BY, read()),
        "cmdb export": export,
        "cmdb plan of the export": plan,
        "server export and dry run": csv_again,
        "rollback to the beginning": lambda: applying.apply(
            board, BY, entries.rollback_to(board, 0)
        ),
    }


if __name__ == "__main__":
    main()
