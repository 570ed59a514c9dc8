"""Values that the evidence of a diagnosis permits, and plans that mean the same."""

from __future__ import annotations

from typing import Any

import pytest
from board_env import SERVER, plan

from guardia.board.core.plan import ToolCall
from guardia.board.core.planner import ActionDraft, ReadEvidence
from guardia.errors import Invalid
from guardia.org.directory import Host, Service
from guardia.tools import choices, planning
from guardia.tools.catalog_planner import CatalogPlanner

WAS = Host(
    server_id="MOF-WAS-01",
    institution="MOF",
    kind="WAS",
    services=(
        Service(
            name="shop",
            kind="http",
            port=8080,
            control="/opt/shop/ctl",
            health="/health",
            root="/opt/shop",
            logs="/var/log/shop",
        ),
    ),
)
FILES = [
    {"name": "app.log", "id": "aaaaaa1", "bytes": 9},
    {"name": "debug.log", "id": "bbbbbb2", "bytes": 5},
]
EVIDENCE = [
    ReadEvidence("disk.largest", {"service": "shop"}, {"files": FILES}),
    ReadEvidence(
        "deploy.current", {"service": "shop"}, {"version": "3.1.0", "releases": ["3.1.0", "3.1.1"]}
    ),
    ReadEvidence(
        "database.locks",
        {"service": "budgetdb"},
        {"roots": [{"pid": 238, "backend_start": "2026-11-20T05:00:00Z"}]},
    ),
]


def archive(name: str, copy: str) -> ToolCall:
    return ToolCall(tool="disk.archive", args={"service": "shop", "name": name, "id": copy})


def draft(tool: str, **args: str) -> ActionDraft:
    return ActionDraft(tool, args)


def deploy(version: str, previous: str) -> ActionDraft:
    return draft("deploy.activate", service="shop", version=version, previous=previous)


def test_plans_that_differ_only_in_a_generated_id_mean_the_same() -> None:
    def filed(name: str, copy: str) -> Any:
        return plan("MAINTENANCE", planning.propose(archive(name, copy), WAS))

    assert choices.meaning(filed("app.log", "aaaaaa1")) == choices.meaning(
        filed("app.log", "ffffff9")
    )
    assert choices.meaning(filed("app.log", "aaaaaa1")) != choices.meaning(
        filed("debug.log", "aaaaaa1")
    )


@pytest.mark.parametrize(
    ("given", "argument", "known"),
    [
        (
            draft("deploy.activate", service="shop", version="3.2.0", previous="3.1.0"),
            "버전",
            "3.1.1",
        ),
        (draft("deploy.activate", service="shop", version="3.1.1", previous="3.0.0"), "", "3.1.0"),
        (draft("disk.archive", service="shop", name="gone.log", id="cccccc3"), "", "debug.log"),
    ],
)
def test_a_value_that_the_server_does_not_have_is_refused_with_those_it_has(
    given: ActionDraft, argument: str, known: str
) -> None:
    with pytest.raises(Invalid) as refused:
        CatalogPlanner().build_action(given, WAS, "DESTRUCTIVE", EVIDENCE)
    assert argument in str(refused.value) and known in str(refused.value)


def test_a_session_that_was_not_seen_is_refused() -> None:
    given = draft(
        "database.terminate_session",
        service="budgetdb",
        pid="240",
        backend_start="2026-11-20T05:00:00Z",
    )
    with pytest.raises(Invalid, match="238"):
        CatalogPlanner().build_action(given, SERVER, "MAINTENANCE", EVIDENCE)


def test_what_follows_from_a_chosen_value_is_taken_from_the_same_row() -> None:
    given = draft("disk.archive", service="shop", name="debug.log", id="aaaaaa1")
    built = CatalogPlanner().build_action(given, WAS, "MAINTENANCE", EVIDENCE)
    assert built.call.args["id"] == "bbbbbb2"


def test_without_evidence_any_valid_value_is_accepted() -> None:
    given = draft("deploy.activate", service="shop", version="9.9.9", previous="3.1.0")
    built = CatalogPlanner().build_action(given, WAS, "DESTRUCTIVE")
    assert built.call.args["version"] == "9.9.9"


def test_evidence_of_another_service_says_nothing() -> None:
    given = draft("deploy.activate", service="shop", version="9.9.9", previous="3.1.0")
    other = [ReadEvidence("deploy.current", {"service": "mail"}, {"version": "1", "releases": []})]
    assert CatalogPlanner().build_action(given, WAS, "DESTRUCTIVE", other)


def test_a_form_offers_the_values_of_the_evidence_and_of_the_type() -> None:
    planner = CatalogPlanner()
    given = draft("disk.archive", service="shop", name="app.log", id="aaaaaa1")
    assert planner.permitted_values(given, EVIDENCE) == {"name": ("app.log", "debug.log")}
    level = draft("service.set_log_level", service="shop", level="INFO", previous="DEBUG")
    assert "WARN" in planner.permitted_values(level, EVIDENCE)["level"]


def test_the_newest_read_decides() -> None:
    newer = ReadEvidence(
        "deploy.current", {"service": "shop"}, {"version": "3.1.0", "releases": ["3.2.0"]}
    )
    given = draft("deploy.activate", service="shop", version="3.2.0", previous="3.1.0")
    assert CatalogPlanner().build_action(given, WAS, "DESTRUCTIVE", [*EVIDENCE, newer])
