"""The catalogue as people read it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from guardia.board.core.plan import Risk
from guardia.i18n import LANGUAGES, catalogue, language
from guardia.tools import catalog, reference

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "tools.md"
BEGIN, END = "<!-- tools: generated -->\n", "<!-- end -->"


def test_the_document_is_current() -> None:
    """`UPDATE_DOCS=1` rewrites it."""
    before, rest = DOCUMENT.read_text("utf-8").split(BEGIN)
    shown, after = rest.split(END, 1)
    text = reference.markdown() + "\n"
    if os.environ.get("UPDATE_DOCS"):
        DOCUMENT.write_text(before + BEGIN + text + END + after, "utf-8")
    else:
        assert shown == text


def test_every_tool_is_described_with_its_arguments() -> None:
    entries = {one.name: one for one in reference.entries()}
    assert set(entries) == set(catalog.CATALOG)
    one = entries["schedule.set_timer"]
    assert (one.family, one.risk, one.undo, one.kinds) == ("schedule", "CHANGE", True, ("timer",))
    assert len(one.checks) == 2 and one.impact
    arguments = {a.name: a for a in reference.arguments(catalog.find("schedule.set_timer"))}
    assert arguments["state"].kind == "on | off | stopped | until-boot"
    assert arguments["service"].required
    generated = reference.arguments(catalog.find("storage.clean_files"))
    assert "id" not in {a.name for a in generated}


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_places_of_arguments_are_named_for_people(code: str) -> None:
    token = language.set(code)
    try:
        texts = [
            text for one in reference.entries() for text in (one.effect, one.impact, *one.checks)
        ]
        one = reference.entry(catalog.find("database.session"))
    finally:
        language.reset(token)
    assert len(texts) > 100
    for text in texts:
        for place in re.findall(r"[<{]\w+[>}]|\[(\w+)\]", text):
            assert place and (code == "en" or not place.isascii()), text
    if code == "ko":
        assert one.effect.startswith("[서버]의 [서비스] DB에 세션 [프로세스 ID]")


def test_a_change_by_a_manual_is_off_until_it_is_enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    tool = catalog.find("oracle.kill_session")
    assert reference.entry(tool).off and reference.entry(tool).manual
    monkeypatch.setenv("GUARDIA_ENABLED_TOOLS", "oracle.*")
    assert not reference.entry(tool).off
    assert not reference.entry(catalog.find("oracle.sessions")).off


def test_there_is_enough_for_operators() -> None:
    """At least 45 actions, 15 of them changes, each with what approvers ask."""
    entries = reference.entries()
    changes = [one for one in entries if one.risk != Risk.READ.name]
    assert len(entries) >= 45 and len(changes) >= 15
    for one in changes:
        assert one.effect and one.impact and one.checks, one.name
        assert one.undo or one.irreversible, one.name


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_family_has_a_name(code: str) -> None:
    assert {one.family for one in reference.entries()} <= set(
        catalogue(code, "catalog")["families"]
    )
