"""The help: each role has its topic in both languages, and what it links to exists."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from page_env import PageClient

from guardia.board.help import topics
from guardia.board.site.permissions import ROUTES
from guardia.i18n import LANGUAGES
from guardia.org.access import ROLES

Browse = Callable[[str], PageClient]
FOLDER = Path(topics.__file__).parent
LINK = re.compile(r"\]\((/[^)#?]*)\)")


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_topic_is_written_and_links_to_pages_that_exist(language: str) -> None:
    for name in topics.TOPICS:
        topic = topics.read_topic(name, language)
        assert topic.title and topic.lead and len(topic.sections) >= 3, name
        assert all(section.text for section in topic.sections), name
        text = (FOLDER / language / f"{name}.md").read_text("utf-8")
        assert not {link for link in LINK.findall(text) if ("GET", link) not in ROUTES}, name
    assert {path.stem for path in (FOLDER / language).iterdir()} == {"common", *ROLES}


@pytest.mark.slow
def test_the_help_is_reached_from_every_page_and_before_signing_in(
    anonymous: PageClient, sign_in_as: Browse
) -> None:
    assert 'href="/help"' in anonymous.get_page("/login").text
    assert "처음 사용하는 분께" in anonymous.get_page("/help").text
    browser = sign_in_as("lead")
    assert 'href="/help/team_lead"' in browser.get_page("/issues").text
    page = browser.get_page("/help/team_lead").text
    assert "내 역할" in page and '<a href="/delegations"' in page
    assert "<figure>" not in page
    assert "Team lead" in browser.get_page("/help/team_lead?lang=en").text
    for unknown in ("nothing", "ko"):
        assert browser.get(f"/help/{unknown}").status_code == 404, unknown


def test_pictures_are_shown_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "engineer--queue--1440-light.png").write_bytes(b"png")
    monkeypatch.setattr(topics, "_PICTURES", tmp_path)
    found = topics.read_topic.__wrapped__("engineer", "ko")
    pictures = [picture for section in found.sections for picture in section.pictures]
    assert [one.path for one in pictures] == ["help/engineer--queue--1440-light.png"]
    assert "engineer--queue" not in found.sections[0].text
