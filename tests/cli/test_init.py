"""`guardia init` prepares an empty database once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from command_line import invoke, output, refusal

from guardia.errors import Invalid, Missing

PASSWORD = "넉넉히-기나긴-암호-7"


@pytest.fixture
def empty(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    from guardia.db.embedded import APPLICATION_ROLE, OWNER_ROLE

    cluster.create_database("init_test", owner=OWNER_ROLE)
    monkeypatch.setenv("GUARDIA_DSN", cluster.dsn(APPLICATION_ROLE, "init_test"))
    monkeypatch.setenv("GUARDIA_OWNER_DSN", cluster.dsn(OWNER_ROLE, "init_test"))
    monkeypatch.setenv("GUARDIA_HOME", str(tmp_path))
    yield cluster.dsn(APPLICATION_ROLE, "init_test")
    cluster.drop_database("init_test")


@pytest.mark.slow
def test_a_second_run_changes_nothing_and_says_so(
    empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUARDIA_PASSWORD", "short")
    refusal(Invalid, "init", "--admin", "root1")
    monkeypatch.delenv("GUARDIA_PASSWORD")
    refusal(Missing, "init", "--admin", "root1")
    monkeypatch.setenv("GUARDIA_PASSWORD", PASSWORD)
    first = json.loads(output("init", "--admin", "root1", "--name", "홍길동", "--json"))
    assert first["admin"] == {"changed": True, "what": "root1"}
    with psycopg.connect(empty) as connection:
        found = connection.execute("select role, name from tb_person").fetchall()
        size = connection.execute("select size from tb_audit_head").fetchone()
    assert found == [("admin", "홍길동")]
    second = json.loads(output("init", "--json"))
    assert not any(step["changed"] for step in second.values())
    assert "변경하지 않았습니다" in output("init", "--admin", "root1")
    with psycopg.connect(empty) as connection:
        assert connection.execute("select size from tb_audit_head").fetchone() == size
    assert invoke("person", "list").exit_code == 0
