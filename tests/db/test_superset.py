"""Apache Superset imports the pack and returns the figures of the views.

With `GUARDIA_SUPERSET` naming its virtual environment (`make superset`); else only the pack is
checked.
"""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import psycopg
import pytest
import yaml
from board_env import LEAD, BoardEnv
from page_env import IssueScenario
from waiting import wait_until

from guardia.board.approvals import decisions
from guardia.db.embedded import REPORTING_ROLE, Cluster

SUPERSET = Path(__file__).parents[2] / "deploy" / "superset"
PACK = SUPERSET / "pack"
VENV = os.environ.get("GUARDIA_SUPERSET", "")
ACCOUNT = {"username": "admin", "password": "admin", "provider": "db"}
_CHARTS = sorted(PACK.glob("charts/*.yaml"))


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def test_the_pack_names_existing_columns(cluster: Cluster, database: Any) -> None:
    views: dict[str, set[str]] = {}
    with psycopg.connect(cluster.dsn(REPORTING_ROLE, database.name)) as connection:
        for file in PACK.glob("datasets/*/*.yaml"):
            given = load(file)
            found = connection.execute(f"select * from {given['table_name']} limit 0")
            names = {column.name for column in found.description or ()}
            assert {column["column_name"] for column in given["columns"]} <= names
            views[given["uuid"]] = names
    assert _CHARTS
    for file in _CHARTS:
        chart = load(file)
        for query in json.loads(chart["query_context"])["queries"]:
            used = {m["column"]["column_name"] for m in query["metrics"]} | set(query["columns"])
            assert used <= views[chart["dataset_uuid"]], file.name


def test_the_dashboard_places_every_chart() -> None:
    position = load(PACK / "dashboards/guardia.yaml")["position"]
    placed = {one["meta"]["uuid"] for one in position.values() if "CHART" in str(one)[:20]}
    assert placed == {load(file)["uuid"] for file in _CHARTS}
    assert load(PACK / "databases/guardia.yaml")["sqlalchemy_uri"].count("XXXXXXXXXX") == 1


@pytest.fixture
def superset(tmp_path: Path) -> Iterator[httpx.Client]:
    """Start Superset with an empty store of its own, and sign in."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "SUPERSET_CONFIG_PATH": str(SUPERSET / "superset_config.py"),
        "SUPERSET_HOME": str(tmp_path),
        "SUPERSET_SECRET_KEY": "0123456789abcdef" * 3,
        "SUPERSET_DATABASE_URI": f"sqlite:///{tmp_path}/superset.db?check_same_thread=false",
        "SUPERSET_TALISMAN": "false",
        "SCARF_ANALYTICS": "false",
        "PYTHONPATH": "",
    }
    who = ("--username", "admin", "--firstname", "A", "--lastname", "D", "--password", "admin")
    for words in (
        ("db", "upgrade"),
        ("fab", "create-admin", *who, "--email", "admin@example.com"),
        ("init",),
    ):
        command = [f"{VENV}/bin/superset", *words]
        subprocess.run(command, env=environment, cwd=tmp_path, check=True, capture_output=True)
    serve = [f"{VENV}/bin/gunicorn", "-w", "1", "-k", "gthread", "--threads", "4"]
    serve += ["--timeout", "120", "-b", f"127.0.0.1:{port}", "superset.app:create_app()"]
    with (
        subprocess.Popen(serve, env=environment, cwd=tmp_path) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client,
    ):
        try:
            assert wait_until(lambda: is_up(client), 180)
            client.headers["Accept"] = "application/json"
            token = client.post("/api/v1/security/login", json=ACCOUNT).json()["access_token"]
            client.headers["Authorization"] = f"Bearer {token}"
            csrf = client.get("/api/v1/security/csrf_token/").json()["result"]
            client.headers["X-CSRFToken"] = csrf
            yield client
        finally:
            server.terminate()


def is_up(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx.TransportError:
        return False


def zipped(dsn: str) -> tuple[bytes, str]:
    """Return the pack with the address of a database, and its password."""
    parts = urlsplit(dsn)
    options = parse_qs(parts.query)
    address = (
        f"postgresql+psycopg2://{REPORTING_ROLE}:XXXXXXXXXX@/{parts.path.strip('/')}"
        f"?host={options['host'][0]}&port={options['port'][0]}"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for path in sorted(PACK.rglob("*.yaml")):
            content = load(path)
            if "sqlalchemy_uri" in content:
                content["sqlalchemy_uri"] = address
            file.writestr(f"pack/{path.relative_to(PACK)}", yaml.safe_dump(content))
    return buffer.getvalue(), parts.password or ""


@pytest.mark.superset
@pytest.mark.slow
@pytest.mark.skipif(not VENV, reason="make superset installs Superset")
def test_superset_imports_and_queries_the_views(
    env: BoardEnv, cluster: Cluster, database: Any, superset: httpx.Client
) -> None:
    scenario = IssueScenario(env).waiting()
    task = scenario.claim.task_id
    decisions.decide(env.board, LEAD, task, approve=True, plan_hash=scenario.plan_hash)
    scenario.start().fail()
    IssueScenario(env).waiting()
    content, password = zipped(cluster.dsn(REPORTING_ROLE, database.name))
    answer = superset.post(
        "/api/v1/dashboard/import/",
        files={"formData": ("guardia.zip", content, "application/zip")},
        data={"passwords": json.dumps({"databases/guardia.yaml": password})},
    )
    assert answer.status_code == 200, answer.text
    charts = superset.get("/api/v1/chart/", params={"q": "(page_size:100)"}).json()["result"]
    rows = {}
    for chart in charts:
        found = superset.get(f"/api/v1/chart/{chart['id']}/data/")
        assert found.status_code == 200, found.text
        rows[chart["slice_name"]] = found.json()["result"][0]["data"]
    assert set(rows) == {load(file)["slice_name"] for file in _CHARTS}
    tasks = {row["status"]: row["tasks"] for row in rows["작업 상태"]}
    assert tasks == {"FAILED_ROLLBACK": 1, "PENDING_APPROVAL": 1}
    (mof,) = (row for row in rows["기관별 현황"] if row["inst_name"] == "기획재정부")
    assert (mof["total_sr"], mof["open_sr"], mof["failed_sr"]) == (2, 1, 1)
    assert len(rows["실패한 작업"]) == len(rows["결재 대기"]) == 1
