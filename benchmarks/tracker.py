"""Create, read, comment on, list and search issues, beside bare SQL and a peer: p50, p99, CPU.

    make bench NAME=tracker ARGS="--sizes 1000 10000 --rounds 50"
    make bench NAME=tracker ARGS="--sizes 1000 --peer http://127.0.0.1:3100 --peer-pid 4711"

Issues are generated in SQL. A hit is a word that one issue in three contains, a rare hit one in
20,000, a miss none. The floor of each act is the smallest SQL that could do it. Lines with `http`
are the same acts over HTTP at a board in a process of its own, through GitHub's dialect with a
token; their processor time is that of the server and its database. With `--peer` a Paperclip that
is running there is measured in the same way: it gets as many issues as the largest size, 2,000 at
most, through its API.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psutil
import psycopg
from board_env import LEAD, BoardEnv, seeded_env
from github_env import token_of
from limited_board import limited_board
from server_cpu import server_seconds

from guardia.board.core.actors import Actor
from guardia.board.issues import comments
from guardia.board.tracker import issue_list, issue_page
from guardia.board.tracker.issue_list import IssueQuery
from guardia.board.tracker.timeline import TimelineQuery
from guardia.db.embedded import APPLICATION_ROLE, OWNER_ROLE, Cluster
from guardia.db.migrate import upgrade

Act = Callable[[int], object]
_GENERATE = """
insert into tb_sr_request (title, body, status, kind, category, priority, inst_id, requester_id,
        channel, assignee_id, triage, created_at, updated_at)
    select title, title || E'\\n업무 시간에 화면이 열리지 않는다는 문의가 들어옵니다. 접수 번호 '
            || n || case when n %% 20000 = 7 then ' 표준편차를 확인해 주세요.' else '' end,
        case when n %% 10 = 0 then 'MANUAL' else 'COMPLETED' end,
        'INCIDENT', (array['DB','WAS','WEB','OS'])[n %% 4 + 1], 'P' || n %% 4 + 1, 'MOF', null,
        'web', case when n %% 50 = 0 then 'lead' end, '{}',
        now() - (%(size)s - n) * interval '1 minute', now() - (%(size)s - n) * interval '1 minute'
    from (select n, (array['조회가 느려요', '결재 중단', '디스크 점검'])[n %% 3 + 1]
            || ' ' || n as title from generate_series(1, %(size)s) n) made
"""
_TEXTS = """
insert into tb_issue_search (sr_id, form)
    select sr_id, search_form(body) from tb_sr_request on conflict do nothing
"""
_INDEX = "ix_tb_issue_search_pairs"
UNLIMITED = {"api_calls_per_token": "1000000", "requests_per_sender": "1000000"}
"""Settings of the board over HTTP."""


def generate(cluster: Cluster, size: int) -> None:
    """Fill the tables; triggers and the text index work once for all rows instead of for each."""
    with psycopg.connect(cluster.dsn(OWNER_ROLE), autocommit=True) as connection:
        (made,) = connection.execute(
            "select pg_get_indexdef(%s::regclass)", [_INDEX]
        ).fetchone() or ("",)
        connection.execute(f"drop index {_INDEX}")
        connection.execute("alter table tb_sr_request disable trigger user")
        connection.execute(_GENERATE, {"size": size})
        connection.execute("alter table tb_sr_request enable trigger user")
        connection.execute(_TEXTS)
        connection.execute(made)
        connection.execute("vacuum analyze")


def acts(env: BoardEnv, size: int) -> dict[str, tuple[Act, Act]]:
    """Return each act of the board with its floor in SQL."""
    board, author = env.board, Actor.of(LEAD)
    query = "select * from tb_sr_request order by sr_id desc limit 50"
    counted = "select count(*) from tb_sr_request where status = 'MANUAL'"

    def sql(statement: str, *values: object) -> object:
        with board.database.engine.begin() as connection:
            return connection.exec_driver_sql(statement, values).rowcount

    def listed(words: str, state: Any = "all") -> Act:
        return lambda _n: issue_list.list_issues(board, LEAD, IssueQuery(state, words, size=50))

    def counts(words: str) -> Act:
        def count(_n: int) -> object:
            with board.database.reading() as session:
                asked = IssueQuery("open", words)
                return issue_list.count_issues(session, LEAD, asked, board.clock())

        return count

    def number(n: int) -> int:
        return 1 + n * 7919 % size

    insert = (
        "insert into tb_sr_request (title, body, status, channel, triage, created_at, updated_at)"
        " values (%s, %s, 'RECEIVED', 'web', '{}', now(), now())"
    )
    comment = "insert into tb_comment (sr_id, author, body, created_at) values (%s, 'x', %s, now())"
    one = "select * from tb_sr_request where sr_id = %s"
    like = "select * from tb_sr_request where body like %s limit 50"
    floor_list: Act = lambda _n: sql(query)  # noqa: E731
    return {
        "create": (
            lambda n: env.create_issue(text=f"예산 시스템이 느려요 {n}"),
            lambda n: sql(insert, f"느려요 {n}", f"느려요 {n}"),
        ),
        "get": (
            lambda n: issue_page.get_issue(board, LEAD, number(n), TimelineQuery()),
            lambda n: sql(one, number(n)),
        ),
        "comment": (
            lambda n: comments.add_comment(board, number(n), author, f"확인 {n}"),
            lambda n: sql(comment, number(n), f"확인 {n}"),
        ),
        "list of 50": (listed(""), floor_list),
        "list by priority": (listed("sort:priority-asc"), floor_list),
        "list of open": (listed("is:open category:DB"), floor_list),
        "search hit": (listed("느려요"), lambda _n: sql(like, "%느려요%")),
        "search rare hit": (listed("표준편차"), lambda _n: sql(like, "%표준편차%")),
        "search miss": (listed("없는말입니다"), lambda _n: sql(like, "%없는말입니다%")),
        "count of open": (counts(""), lambda _n: sql(counted)),
        "count of a hit": (counts("느려요"), lambda _n: sql(counted)),
        "count of a miss": (counts("없는말입니다"), lambda _n: sql(counted)),
    }


def measure(act: Act, rounds: int, cpu: Callable[[], float]) -> dict[str, float]:
    """Return how long an act takes, and the CPU time of this process and the database."""
    act(0)
    before, spans = cpu(), []
    for n in range(rounds):
        begun = time.perf_counter()
        act(n + 1)
        spans.append(time.perf_counter() - begun)
    used = cpu() - before
    spans.sort()
    return {
        "p50_ms": round(1000 * spans[len(spans) // 2], 2),
        "p99_ms": round(1000 * spans[min(len(spans) - 1, len(spans) * 99 // 100)], 2),
        "cpu_ms": round(1000 * used / rounds, 2),
    }


def run(size: int, rounds: int) -> None:
    home = Path(tempfile.mkdtemp(prefix="guardia-bench-"))
    home.chmod(0o711)
    try:
        with Cluster(home / "pg") as cluster:
            cluster.create_roles()
            upgrade(cluster.dsn(OWNER_ROLE))
            with seeded_env(cluster.dsn(APPLICATION_ROLE)) as env:
                begun = time.perf_counter()
                generate(cluster, size)
                print(
                    json.dumps({"issues": size, "generated_s": round(time.perf_counter() - begun)})
                )

                def cpu() -> float:
                    return time.process_time() + server_seconds(home / "pg")

                for name, (act, floor) in acts(env, size).items():
                    line = {"issues": size, "act": name, **measure(act, rounds, cpu)}
                    bare = measure(floor, max(3, rounds // 5), cpu)
                    line |= {f"bare_{key}": value for key, value in bare.items()}
                    print(json.dumps(line, ensure_ascii=False), flush=True)
                run_http(env, home, size, rounds)
    finally:
        shutil.rmtree(home, ignore_errors=True)


Call = Callable[[str, str, Any], Any]


def caller(client: httpx.Client) -> Call:
    """Return a function that calls an API and returns what it answers; errors are raised."""

    def call(method: str, path: str, body: object = None) -> Any:
        answer = client.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json()

    return call


def board_acts(call: Call, size: int) -> dict[str, Act]:
    """Return the acts at the board's API."""
    issues = "/api/v3/repos/MOF/all/issues"
    search = "/api/v3/search/issues?per_page=50&q="

    def one(n: int) -> str:
        return f"{issues}/{1 + n * 7919 % size}"

    return {
        "create": lambda n: call("POST", issues, {"title": f"예산 시스템이 느려요 {n}"}),
        "get": lambda n: call("GET", one(n), None),
        "comment": lambda n: call("POST", f"{one(n)}/comments", {"body": f"확인 {n}"}),
        "list of 50": lambda _n: call("GET", f"{issues}?state=all&per_page=50", None),
        "search hit": lambda _n: call("GET", search + quote("느려요"), None),
        "search miss": lambda _n: call("GET", search + quote("없는말입니다"), None),
    }


def peer_acts(call: Call, size: int) -> dict[str, Act]:
    """Return the acts at a Paperclip, after creating so many issues there."""
    company = call("POST", "/api/companies", {"name": "benchmark"})["id"]
    issues = f"/api/companies/{company}/issues"
    words = ("조회가 느려요", "결재 중단", "디스크 점검")
    known = [
        call("POST", issues, {"title": f"{words[n % 3]} {n}", "description": "문의 " * 20})["id"]
        for n in range(size)
    ]

    def one(n: int) -> str:
        return f"/api/issues/{known[n * 7919 % size]}"

    # Its search of everything permits a few calls a minute.
    search = f"{issues}?limit=50&q="
    return {
        "create": lambda n: call("POST", issues, {"title": f"예산 시스템이 느려요 {n}"}),
        "get": lambda n: call("GET", one(n), None),
        "comment": lambda n: call("POST", f"{one(n)}/comments", {"body": f"확인 {n}"}),
        "list of 50": lambda _n: call("GET", f"{issues}?limit=50", None),
        "search hit": lambda _n: call("GET", search + quote("느려요"), None),
        "search miss": lambda _n: call("GET", search + quote("없는말입니다"), None),
    }


def run_http(env: BoardEnv, home: Path, size: int, rounds: int) -> None:
    """Measure the acts at a board in a process of its own."""
    token = token_of(env, LEAD.id)
    with limited_board(env.dsn, **UNLIMITED) as (address, pid, _):

        def cpu() -> float:
            return tree_seconds(pid) + server_seconds(home / "pg")

        with httpx.Client(
            base_url=address, headers={"authorization": f"Bearer {token}"}, timeout=60
        ) as client:
            print_http("board", size, board_acts(caller(client), size), rounds, cpu)


def run_peer(address: str, pid: int, size: int, rounds: int) -> None:
    """Measure the same acts at a running Paperclip."""
    with httpx.Client(base_url=address, timeout=60) as client:
        made = peer_acts(caller(client), size)
        print_http("peer", size, made, rounds, lambda: tree_seconds(pid))


def print_http(
    whose: str, size: int, made: dict[str, Act], rounds: int, cpu: Callable[[], float]
) -> None:
    """Measure acts over HTTP and print a line for each."""
    for name, act in made.items():
        line = {"issues": size, "http": whose, "act": name, **measure(act, rounds, cpu)}
        print(json.dumps(line, ensure_ascii=False), flush=True)


def tree_seconds(pid: int) -> float:
    """Return CPU seconds of a process and of all below it."""
    first = psutil.Process(pid)
    found = 0.0
    for process in (first, *first.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            found += sum(process.cpu_times()[:4])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--peer", default="", help="address of a running Paperclip")
    parser.add_argument("--peer-pid", type=int, default=0, help="its process")
    given = parser.parse_args()
    for size in given.sizes:
        run(size, given.rounds)
    if given.peer:
        run_peer(given.peer, given.peer_pid, min(2000, max(given.sizes)), given.rounds)


if __name__ == "__main__":
    main()
