"""When the requester is asked for a server, and which servers are offered."""

from __future__ import annotations

import pytest

from guardia.agents.brain.triage.classify import Triage
from guardia.agents.server_question import (
    as_choices,
    certain_server,
    needs_server,
    possible_servers,
)
from guardia.org.directory import Host


def read(kind: str = "INCIDENT", category: str = "WAS", **more: object) -> Triage:
    return Triage(kind=kind, category=category, priority="P3", **more)  # type: ignore[arg-type]


def host(name: str, kind: str = "WAS", *aliases: str) -> Host:
    return Host(server_id=name, institution="MOF", kind=kind, aliases=aliases)


@pytest.mark.parametrize(
    ("triage", "needed"),
    [
        (read(), True),
        (read("CHANGE", "DEPLOY"), True),
        (read("REQUEST", "OS", action_type="RESTART"), True),
        (read("REQUEST", "DB"), False),
        (read("QUESTION", "DB"), False),
        (read("INCIDENT", "ACCOUNT"), False),
        (read("INCIDENT", "NETWORK"), False),
        (read("INCIDENT", "GENERAL"), False),
        (read("INCIDENT", "SECURITY"), False),
        (read(servers=("MOF-WAS-01",)), False),
    ],
)
def test_only_work_on_a_server_needs_one(triage: Triage, needed: bool) -> None:
    assert needs_server(triage) is needed


def test_servers_of_the_kind_are_offered_and_a_single_one_is_certain() -> None:
    one, two, database = host("A-WAS-1"), host("A-WAS-2"), host("A-DB-1", "DB")
    assert possible_servers(read(), [one, two, database]) == [one, two]
    assert possible_servers(read(category="STORAGE"), [one, database]) == [one, database]
    assert certain_server(read(), [one, database]) == one
    assert certain_server(read(), [one, two]) is certain_server(read(), []) is None
    assert certain_server(read(category="STORAGE"), [one]) is None, "on any kind of server"


def test_choices_have_distinct_names_and_a_limit() -> None:
    named = [host("A-1", "WAS", "1호기"), host("A-2", "WAS", "1호기"), host("A-3", "WAS", "3호기")]
    assert [c.label for c in as_choices(named, 5)] == ["A-1", "A-2", "3호기"]
    assert as_choices(named, 2) == []
