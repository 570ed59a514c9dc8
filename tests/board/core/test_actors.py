"""Tests of actors: their stored form, and that no other module builds or reads it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from board_env import LEAD
from hypothesis import given
from hypothesis import strategies as st

from guardia.board.core.actors import Actor, stored_prefix
from guardia.board.core.lifecycle import ActorKind

ROOT = Path(__file__).resolve().parents[3]
PRODUCT = ("db", "org", "board", "tools", "knowledge", "agents", "heartbeat", "src/guardia/cli")
STORED_FORM = re.compile(rf"({'|'.join(ActorKind)}):")


@pytest.mark.parametrize(
    ("actor", "stored"),
    [
        (Actor.person("lead"), "person:lead"),
        (Actor.of(LEAD), "person:lead"),
        (Actor.agent("db-agent"), "agent:db-agent"),
        (Actor.channel("mattermost", "장하늘"), "channel:mattermost"),
        (Actor.operator("cli"), "operator:cli"),
        (Actor.system("clock"), "system:clock"),
    ],
)
def test_the_stored_form_is_the_kind_and_the_id(actor: Actor, stored: str) -> None:
    assert str(actor) == stored
    assert Actor.parse(stored) == actor
    assert Actor.kind_of(stored) is actor.kind
    assert stored.startswith(stored_prefix(actor.kind))


@given(st.sampled_from(ActorKind), st.text())
def test_every_actor_is_read_back_from_its_stored_form(kind: ActorKind, actor_id: str) -> None:
    actor = Actor(kind, actor_id, actor_id)
    assert Actor.parse(str(actor)) == actor


@pytest.mark.parametrize("stored", ["", "lead", "system", "robot:r2", "Person:lead", None])
def test_other_texts_name_no_actor(stored: str | None) -> None:
    assert Actor.parse(stored) is None
    assert Actor.kind_of(stored) is None


def test_the_label_is_for_people_and_makes_no_other_actor() -> None:
    assert Actor.of(LEAD).label == "정다은 팀장"
    assert Actor.of(LEAD) == Actor.person("lead")
    assert Actor.channel("mattermost", "").label == ""
    assert (Actor.channel("mattermost").label, Actor.agent("a").label) == ("mattermost", "a")


def test_people_act_also_through_channels_and_the_command_line() -> None:
    humans = [Actor.person("lead"), Actor.channel("mattermost"), Actor.operator("cli")]
    assert all(actor.is_human for actor in humans)
    assert not any(actor.is_human for actor in (Actor.agent("a"), Actor.system("clock")))


def stored_forms(tree: ast.Module) -> Iterator[str]:
    """Yield the texts of a module that are, or begin, the stored form of an actor."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and STORED_FORM.match(node.value)
        ):
            yield f"{node.lineno}: {node.value}"


@pytest.mark.slow
def test_only_the_value_itself_knows_the_stored_form() -> None:
    found = {}
    for folder in PRODUCT:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if forms := list(stored_forms(ast.parse(path.read_text("utf-8")))):
                found[str(path.relative_to(ROOT))] = forms
    assert found == {}


@pytest.mark.parametrize(
    "source",
    [
        'actor = f"agent:{claim.agent_id}"',
        'log.append(session, actor="system:clock")',
        'author.startswith("person:")',
        'author.removeprefix("agent:")',
    ],
)
def test_a_stored_form_in_the_code_is_found(source: str) -> None:
    assert len(list(stored_forms(ast.parse(source)))) == 1
