"""`guardia server import|export`, `cmdb` and the roster, as operators use them."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest
from board_env import BoardEnv
from cmdb_env import csv_set
from command_line import command_env, environment, invoke, output, start_process
from openssh_server import OpenSSH
from waiting import wait_until

from guardia.board.cmdb import applying, entries, offered_keys, view
from guardia.board.core.actors import Actor
from guardia.org import host_key

HEAD = "서버,기관,기관명,종류,주소\n"
ROWS = HEAD + "MOE-WEB-01,MOE,교육부,웹,10.1.0.5\nMOE-DB-01,MOE,교육부,DB,10.1.0.6\n"
WIDE = {"COLUMNS": "200"}


@pytest.fixture
def env(database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Open a board where the commands find it."""
    with command_env(database, tmp_path, monkeypatch, people=False, **WIDE) as found:
        yield found


@pytest.mark.slow
def test_servers_are_imported_checked_and_rolled_back(env: BoardEnv, tmp_path: Path) -> None:
    file = tmp_path / "servers.csv"
    file.write_bytes(ROWS.encode("cp949"))
    shown = output("server", "import", file, "--dry-run")
    assert "추가 3건, 변경 0건, 동일 0건, 삭제 0건, 사용할 수 없는 줄 0건" in shown
    assert "서버 추가: MOE-DB-01" in shown and "확인만 했습니다" in shown
    done = output("server", "import", file)
    assert "개정 1" in done and "scan-keys" in done
    assert "동일 3건" in output("server", "import", file)
    file.write_text(ROWS + "MOE-X,MOE,교육부,DB,::bad::\n")
    bad = invoke("server", "import", file)
    assert bad.exit_code != 0 and "4번째 줄" in str(bad.exception)
    assert invoke("server", "import", file, "--skip-bad").exit_code == 3
    again = tmp_path / "again.csv"
    output("server", "export", "-o", again)
    assert "동일 6건" in output("server", "import", again, "--dry-run")

    yaml = tmp_path / "cmdb.yaml"
    output("cmdb", "export", "-o", yaml)
    assert invoke("cmdb", "plan", yaml).exit_code == 0
    yaml.write_text(yaml.read_text().replace("10.1.0.6", "10.1.0.7"))
    plan = invoke("cmdb", "plan", yaml)
    assert plan.exit_code == 2 and "주소: 10.1.0.6 → 10.1.0.7" in plan.output
    assert "개정 2" in output("cmdb", "apply", yaml)
    assert "cmdb.yaml" in output("cmdb", "history", "--entry", "MOE-DB-01")
    assert "10.1.0.7" in output("cmdb", "diff", 2)
    assert "개정 3" in output("cmdb", "rollback", 1)
    assert view.server(env.board, "MOE-DB-01").address == "10.1.0.6"
    kept = invoke("cmdb", "rollback", 0, answer="n\n")
    assert kept.exit_code == 1 and "3건을 삭제합니다" in kept.output
    output("cmdb", "rollback", 0, "--yes")
    assert {e["id"] for e in entries.entries(env.board, "institution")} == {"MOF"}


@pytest.mark.slow
def test_responsibility_is_entered_and_asked_for(env: BoardEnv, tmp_path: Path) -> None:
    where = ("--institution", "MOF", "--skill", "WAS", "--proficiency", 4)
    assert "담당자 추가" in output("owner", "add", "--person", "eng", *where)
    assert "변경할 내용이 없습니다" in output("owner", "add", "--person", "eng", *where)
    output("skill", "add", "eng", "WAS", 5)
    output("team", "add", "T", "--name", "야간팀", "--member", "lead", "--member", "eng")
    night = ("--from", "18:00", "--to", "09:00", "--days", "월-금", "--team", "T")
    output("duty", "add", "NIGHT", *night)
    at = ("--at", "2026-11-30T22:00")
    first, second = output("owner", "who", "MOF-WAS-01", *at).splitlines()
    assert first.startswith("1. 김철수 대리 (eng): 당직 근무 중(NIGHT), 정담당")
    assert second.startswith("2. 정다은 팀장 (lead)")
    output("absence", "add", "eng", "--from", "2126-11-30", "--reason", "연차")
    away = output("owner", "who", "MOF-WAS-01", "--at", "2126-11-30T10:00")
    assert "담당자가 없습니다" in away
    assert "연차" in output("absence", "list")
    output("duty", "except", "NIGHT", "--from", "2026-11-30", "--person", "lead2")
    assert "lead2" in output("duty", "now", *at)
    for group in ("owner", "skill", "team", "duty"):
        file = tmp_path / f"{group}.csv"
        output(group, "export", "-o", file)
        assert "추가 0건, 변경 0건" in output(group, "import", file), group
    output("duty", "except-export", "-o", tmp_path / "e.csv")
    assert "추가 0건, 변경 0건" in output("duty", "except-import", tmp_path / "e.csv")
    output("absence", "export", "-o", tmp_path / "a.csv")
    assert "부재 0건" in output("absence", "import", tmp_path / "a.csv")
    output("duty", "remove", "NIGHT")
    output("owner", "remove", "--person", "eng", "--institution", "MOF", "--skill", "WAS")
    output("team", "remove", "T")
    output("skill", "remove", "eng", "WAS")
    assert output("owner", "who", "MOF-WAS-01", *at).startswith("MOF-WAS-01")


@pytest.mark.slow
def test_bad_lines_of_a_roster_are_named(env: BoardEnv, tmp_path: Path) -> None:
    file = tmp_path / "absences.csv"
    file.write_text("담당자,시작일,종료일\neng,2126-01-02,2126-01-01\nghost,2126-01-01,\neng,x,\n")
    refused = invoke("absence", "import", file)
    assert refused.exit_code == 3 and "아무것도 반영하지 않았습니다" in refused.output
    file.write_text("담당자,서버,분야,숙련도\neng,MOF-DB-01,DB,9\nghost,MOF-DB-01,DB,3\n")
    bad = invoke("owner", "import", file)
    assert "2번째 줄: 숙련도" in str(bad.exception) and "3번째 줄" in str(bad.exception)


@pytest.mark.slow
@pytest.mark.ssh
def test_keys_are_fetched_and_not_confirmed(env: BoardEnv, tmp_path: Path) -> None:
    server = OpenSSH(tmp_path / "sshd")
    try:
        file = tmp_path / "servers.csv"
        file.write_text(
            f"서버,기관,종류,주소,포트\nA-1,MOF,DB,127.0.0.1,{server.port}\nA-2,MOF,DB,127.0.0.1,1\n"
        )
        output("server", "import", file)
        shown = output("server", "scan-keys", "A-1", "A-2", "--timeout", 5)
    finally:
        server.stop()
    print_ = host_key.fingerprint(server.host().host_key)
    assert f"A-1  {print_}" in shown and "2대 중 1대" in shown
    (offer,) = offered_keys.offered(env.board)
    assert (offer.server_id, offer.fingerprint) == ("A-1", print_)
    assert view.server(env.board, "A-1").host_key == "", "only a person confirms it"


@pytest.mark.slow
def test_two_imports_at_once_both_end_in_one_state(env: BoardEnv) -> None:
    def rows(address: str) -> str:
        return HEAD + "".join(f"S-{n:04},MOE,교육부,DB,10.{address}.0.{n}\n" for n in range(200))

    problems: list[BaseException] = []

    def run(address: str) -> None:
        try:
            applying.apply(env.board, Actor.operator("test"), csv_set(rows(address)))
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=run, args=(str(n),)) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    found = {
        e["address"].split(".")[1]
        for e in entries.entries(env.board, "server")
        if e["id"].startswith("S-")
    }
    assert len(found) == 1, "the servers of one import, not of both"
    assert [r.changes for r in entries.history(env.board)] == [200, 201]


@pytest.mark.slow
def test_an_import_that_is_killed_leaves_nothing(
    env: BoardEnv, database: Any, tmp_path: Path
) -> None:
    file = tmp_path / "servers.csv"
    file.write_text(ROWS)
    # The import waits for the head of the audit log, with everything else written.
    with psycopg.connect(database.owner) as blocker:
        blocker.execute("select * from tb_audit_head for update")
        process = start_process(
            "server",
            "import",
            file,
            env=environment(tmp_path, GUARDIA_DSN=database.app),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

        def waits() -> bool:
            with psycopg.connect(database.superuser) as other:
                row = other.execute(
                    "select count(*) from pg_stat_activity"
                    " where wait_event_type = 'Lock' and query like '%tb_audit_head%'"
                ).fetchone()
            return bool(row and row[0])

        assert wait_until(waits)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert {e["id"] for e in entries.entries(env.board, "institution")} == {"MOF"}
    assert entries.history(env.board) == []
    assert "추가 3건" in output("server", "import", file), "and it can be done again"
