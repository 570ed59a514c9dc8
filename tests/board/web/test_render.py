from __future__ import annotations

from datetime import UTC, datetime

import pytest

from guardia.board.core import labels
from guardia.board.core.lifecycle import State
from guardia.board.core.plan import Risk, ToolCall
from guardia.board.web import bundles, render
from guardia.i18n import LANGUAGES, catalogue, language


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (None, "–"),
        (True, "예"),
        (False, "아니요"),
        (0, "0"),
        ("5.7", "5.7"),
        ("2026-11-23T16:55:01.809914Z", "2026-11-24 01:55:01"),
        ("2026-11-23 16:55:01+00:00", "2026-11-24 01:55:01"),
        ("2026-13-23T16:55:01Z", "2026-13-23T16:55:01Z"),
        ("2026-11-23 16:55:01", "2026-11-23 16:55:01"),
    ],
)
def test_values_as_people_read_them(given: object, shown: str) -> None:
    assert render.format_value(given) == shown


def test_times_are_shown_in_seoul_time() -> None:
    at = datetime(2026, 12, 31, 15, 0, 1, tzinfo=UTC)
    assert labels.format_time(at) == "2027-01-01 00:00:01"
    assert labels.format_time(at, "short") == "01-01 00:00"
    assert render.iso(at) == "2027-01-01T00:00:01+09:00"


def test_a_part_is_versioned_by_its_content() -> None:
    class Switch:
        reason = "하나"
        ordered_at = datetime(2026, 11, 30, 9, tzinfo=UTC)
        undoing = 0

    def part(*, swap: bool = False) -> str:
        return render.part("web/switch", switch=Switch(), may=lambda _: True, swap=swap)

    first, same = part(swap=True), part(swap=True)
    Switch.reason = "둘 <b>"
    other = part()
    assert first == same
    assert first.split(">")[0].split("data-version=")[1] not in other
    assert first.startswith('<div id="part-switch" data-version="')
    assert 'hx-swap-oob="true"' in first
    assert "hx-swap-oob" not in other
    assert "둘 &lt;b&gt;" in other


def test_actors_by_name_or_by_id() -> None:
    names = {"agent:db-agent": "DB 전문가"}
    assert labels.actor_label(names, "agent:db-agent") == "DB 전문가"
    assert labels.actor_label(names, "agent:gone") == "gone"
    assert labels.actor_label(names, "channel:mattermost") == "메신저"
    assert labels.actor_label(names, "system") == "system"


def test_arguments_come_with_their_names_in_order() -> None:
    call = ToolCall(tool="t.x", args={"pid": 7, "service": "budgetdb"})
    assert render.format_arguments(call) == [("서비스", "budgetdb"), ("프로세스 ID", "7")]


def test_an_address_changes_with_its_file() -> None:
    address = bundles.asset("home.css")
    assert address.startswith("/static/home.css?v=")
    assert address.partition("=")[2] != bundles.asset("keys.css").partition("=")[2]


def test_a_bundle_has_all_of_its_files_in_order() -> None:
    for name, files in bundles.BUNDLES.items():
        places = [bundles.content(name).find(bundles.content(file)) for file in files]
        assert -1 not in places and places == sorted(places), name


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_state_and_risk_has_its_text(code: str) -> None:
    words = catalogue(code, "web")
    assert set(catalogue(code, "state")) == {s.value for s in State}
    assert set(words["risk"]) == {r.name for r in Risk}
    assert set(render.RISK_BADGE) == set(Risk)


def test_texts_follow_the_language_of_the_reader() -> None:
    token = language.set("en")
    try:
        assert render.web_label("category", "BACKUP") == "Backup"
        assert render.web_label("category", "NEW_KIND") == "NEW_KIND"
    finally:
        language.reset(token)
    assert render.web_label("category", "BACKUP") == "백업"
