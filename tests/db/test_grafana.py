"""The Grafana dashboards fit the database: every query runs as the role that reads reports."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from board_env import LEAD, BoardEnv
from page_env import IssueScenario

from guardia.board.approvals import decisions
from guardia.db.embedded import REPORTING_ROLE, Cluster

GRAFANA = Path(__file__).parents[2] / "deploy" / "grafana"
DASHBOARDS = [
    json.loads(file.read_text("utf-8")) for file in sorted(GRAFANA.glob("dashboards/*.json"))
]
PANELS = [panel for dashboard in DASHBOARDS for panel in dashboard["panels"]]
COLOURS = {"FAILED_ROLLBACK": "red", "COMPLETED": "blue", "IN_PROGRESS": "yellow"}


def replaced(query: str) -> str:
    """Replace macros and variables as Grafana does, for all institutions and a server."""
    now = datetime.now(UTC)
    period = f"'{now - timedelta(30):%FT%TZ}' AND '{now + timedelta(minutes=1):%FT%TZ}'"
    query = re.sub(r"\$__timeFilter\(([^)]*)\)", rf"\1 BETWEEN {period}", query)
    query = query.replace("$institution", "'MOF',''").replace("$server", "MOF-DB-01")
    assert "$" not in query, query
    return query


@pytest.mark.slow
def test_every_query_runs_and_names_what_its_panel_shows(
    env: BoardEnv, cluster: Cluster, database: Any
) -> None:
    scenario = IssueScenario(env).waiting()
    task = scenario.claim.task_id
    decisions.decide(env.board, LEAD, task, approve=True, plan_hash=scenario.plan_hash)
    scenario.start().fail()
    IssueScenario(env).waiting()
    rows: dict[str, list[Any]] = {}
    with psycopg.connect(cluster.dsn(REPORTING_ROLE, database.name)) as connection:
        for panel in PANELS:
            (target,) = panel["targets"]
            found = connection.execute(replaced(target["rawSql"]))
            rows[panel["title"]] = found.fetchall()
            names = [column.name for column in found.description or ()]
            assert target["format"] != "time_series" or names[0] == "time"
            assert len(set(names)) == len(names)
        for dashboard in DASHBOARDS:
            for variable in dashboard["templating"]["list"]:
                if variable["type"] == "query":
                    options = connection.execute(variable["query"]).fetchall()
                    assert ("MOF", "기획재정부") in options
    assert rows["처리 중인 요청"] == [(1,)]
    assert rows["실패·원복(기간)"] == [(1,)]
    assert rows["결재 대기"][0][0] == 1
    assert ("FAILED_ROLLBACK", 1) in rows["작업 상태"]
    assert len(rows["실패한 작업"]) == 1 and rows["서버 작업 이력"]
    assert rows["위변조 의심 기록"] == []


def test_panels_have_a_source_a_place_and_the_usual_colours() -> None:
    assert PANELS
    for dashboard in DASHBOARDS:
        numbers = [panel["id"] for panel in dashboard["panels"]]
        assert len(set(numbers)) == len(numbers)
        assert "Not run in Grafana" in dashboard["description"]
        taken: set[tuple[int, int]] = set()
        for panel in dashboard["panels"]:
            place = panel["gridPos"]
            cells = {
                (place["x"] + x, place["y"] + y)
                for x in range(place["w"])
                for y in range(place["h"])
            }
            assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
            taken |= cells
    overrides = {
        override["matcher"]["options"]: override["properties"][0]["value"]["fixedColor"]
        for panel in PANELS
        for override in panel["fieldConfig"]["overrides"]
    }
    assert COLOURS.items() <= overrides.items()


def test_the_provisioning_names_the_same_source_and_role() -> None:
    (source,) = yaml.safe_load(
        (GRAFANA / "provisioning/datasources/guardia.yaml").read_text("utf-8")
    )["datasources"]
    assert source["user"] == REPORTING_ROLE and source["type"] == "postgres"
    assert {panel["datasource"]["uid"] for panel in PANELS} == {source["uid"]}
    assert source["secureJsonData"]["password"].startswith("$")
    (provider,) = yaml.safe_load(
        (GRAFANA / "provisioning/dashboards/guardia.yaml").read_text("utf-8")
    )["providers"]
    assert provider["type"] == "file"
