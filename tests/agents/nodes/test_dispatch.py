"""Settled values take precedence over triage."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from agents_env import open_agents_env
from board_env import seeded_env
from sqlalchemy import select

from guardia.agents.brain.chat.parsing import Category
from guardia.agents.brain.goals.plan import GENERAL
from guardia.agents.brain.protocol import BrainResult
from guardia.agents.brain.triage.classify import Triage
from guardia.agents.nodes.dispatch import classify
from guardia.board.audit.model import AuditEntry
from guardia.board.core.model import Issue, Task
from guardia.org.chat_rules import KNOWN_SKILLS

FOUND = Triage(kind="INCIDENT", category="WAS", priority="P3", reasons=("분류 근거",))


class Brain:
    def triage(self, *_: object) -> BrainResult[Triage]:
        return BrainResult(FOUND, "embedded")


GIVEN: list[tuple[dict[str, Any], tuple[str, str], str | None]] = [
    ({}, ("WAS", "P3"), None),
    ({"category": None, "priority": None}, ("WAS", "P3"), None),
    ({"category": "STORAGE", "priority": None}, ("STORAGE", "P3"), "STORAGE"),
    ({"category": "STORAGE", "priority": "P1"}, ("STORAGE", "P1"), "STORAGE, P1"),
]


def test_settled_values_are_kept(database: Any) -> None:
    with seeded_env(database.app) as env:
        runtime = SimpleNamespace(context=SimpleNamespace(board=env.board, brain=Brain()))
        for given, expected, told in GIVEN:
            triage = classify({"text": "가", **given}, runtime)["triage"]  # type: ignore[typeddict-item, arg-type]
            assert (triage.category, triage.priority) == expected
            assert [r for r in triage.reasons if r.startswith("접수 시")] == (
                [f"접수 시 지정된 분야와 우선순위를 적용했습니다: {told}"] if told else []
            )


def test_the_server_of_an_alert_outranks_what_its_text_names(database: Any) -> None:
    named = FOUND.model_copy(update={"servers": ("MOF-WAS-01",), "kind": "REQUEST"})
    brain = SimpleNamespace(triage=lambda *_: BrainResult(named, "embedded"))
    with seeded_env(database.app) as env:
        runtime = SimpleNamespace(context=SimpleNamespace(board=env.board, brain=brain))
        for given, servers in (
            ({"kind": "INCIDENT", "servers": ["MOF-DB-01"], "institution": "MOF"}, ("MOF-DB-01",)),
            ({"kind": "INCIDENT", "servers": []}, ()),
            ({"kind": "INCIDENT"}, ("MOF-WAS-01",)),
        ):
            triage = classify({"text": "가", "given": given}, runtime)["triage"]  # type: ignore[arg-type]
            assert (triage.kind, triage.servers) == ("INCIDENT", servers)


def server_of(env: Any, found: Triage, *talk: str) -> tuple[tuple[str, ...], str | None, str]:
    brain = SimpleNamespace(triage=lambda *_: BrainResult(found, "embedded"))
    runtime = SimpleNamespace(context=SimpleNamespace(board=env.board, brain=brain))
    triage = classify({"text": "가", "talk": talk}, runtime)["triage"]  # type: ignore[arg-type]
    return triage.servers, triage.institution, triage.reasons[-1]


def test_the_conversation_around_a_request_may_name_its_server(database: Any) -> None:
    here = FOUND.model_copy(update={"servers": ("MOF-DB-01",)})
    other = FOUND.model_copy(update={"institution": "MOE"})
    disk = FOUND.model_copy(update={"category": "STORAGE"})
    with seeded_env(database.app) as env:
        assert server_of(env, FOUND) == ((), None, "분류 근거")
        assert server_of(env, FOUND, "점심", "또 꽉 찼네") == ((), None, "분류 근거")
        found = server_of(env, FOUND, "점심", "MOF-WAS-01 알람이요", "mof-was-01 맞아요")
        assert found[:2] == (("MOF-WAS-01",), "MOF") and "대화 내용에서" in found[2]
        assert server_of(env, here, "MOF-WAS-01 알람이요")[0] == ("MOF-DB-01",)
        # Of several servers, the one of the requested kind.
        both = ("MOF-WAS-01 알람", "MOF-DB-01 도요")
        assert server_of(env, FOUND, *both)[0] == ("MOF-WAS-01",)
        assert server_of(env, disk, both[1])[0] == ("MOF-DB-01",)
        for triage, talk in ((disk, both), (other, both[:1]), (FOUND, both[1:])):
            servers, _, reason = server_of(env, triage, *talk)
            assert servers == () and "특정하지 않았습니다" in reason


def test_chart_rules_can_set_every_value_of_triage() -> None:
    assert {*KNOWN_SKILLS, GENERAL} == set(get_args(Category))


def test_what_was_understood_stays_although_no_server_is_named(
    database: Any, tmp_path: Path
) -> None:
    with open_agents_env(database.owner, database.app, tmp_path) as found:
        sr_id = found.env.create_issue(text="VPN 계정 하나 급하게 만들어 주세요")
        found.work()
        with found.env.board.database.reading() as session:
            issue = session.get_one(Issue, sr_id)
            assert (issue.status, issue.kind) == ("MANUAL", "REQUEST")
            assert (issue.category, issue.priority) == ("ACCOUNT", "P2")
            assert issue.triage["servers"] == [] and len(issue.triage["reasons"]) >= 3
            entry = session.scalars(
                select(AuditEntry).where(
                    AuditEntry.sr_id == sr_id, AuditEntry.kind == "handed_over"
                )
            ).one()
            assert entry.detail["category"] == "ACCOUNT"


@pytest.mark.slow
def test_a_server_in_the_title_of_a_form_is_found(database: Any, tmp_path: Path) -> None:
    with open_agents_env(database.owner, database.app, tmp_path) as found:
        titled = found.env.create_issue(
            title="MOF-DB-01 점검", text="조회가 느립니다. 확인해 주세요"
        )
        found.work()
        with found.env.board.database.reading() as session:
            task = session.scalars(select(Task).where(Task.sr_id == titled)).one()
            assert task.target_server == "MOF-DB-01"


@pytest.mark.slow
def test_a_text_never_replaces_the_requesters_own_institution(
    database: Any, tmp_path: Path
) -> None:
    with open_agents_env(database.owner, database.app, tmp_path) as found:
        own = found.env.create_issue(text="MOF-DB-01 조회가 느립니다", institution="MOE")
        found.work()
        with found.env.board.database.reading() as session:
            assert session.get_one(Issue, own).inst_id == "MOE"
