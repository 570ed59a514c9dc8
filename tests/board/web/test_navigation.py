"""Navigation entries, their permissions and the current one."""

from __future__ import annotations

import pytest
from board_env import CUSTOMER, LEAD

from guardia.board.site import permissions
from guardia.board.web import navigation
from guardia.i18n import LANGUAGES, language, t


@pytest.mark.parametrize("place", navigation.NAVIGATION_ITEMS, ids=lambda p: p.path)
def test_an_entry_is_shown_to_those_whom_its_page_admits(place: navigation.NavigationItem) -> None:
    assert permissions.ROUTES["GET", place.path] == place.action


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_entry_has_a_name(code: str) -> None:
    token = language.set(code)
    try:
        assert all(t(place.key) for place in navigation.NAVIGATION_ITEMS)
    finally:
        language.reset(token)


def test_a_customer_does_not_see_the_kill_switch() -> None:
    assert "/control" in [p.path for p in navigation.visible_items(LEAD)]
    assert "/control" not in [p.path for p in navigation.visible_items(CUSTOMER)]


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/issues", "/issues"),
        ("/issues/42", "/issues"),
        ("/issues/new", "/issues/new"),
        ("/issuesque", None),
        ("/login", None),
    ],
)
def test_the_current_entry_is_the_nearest(path: str, place: str | None) -> None:
    found = navigation.current_item(path)
    assert (found.path if found else None) == place
