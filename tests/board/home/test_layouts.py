"""Cards of a start page: one's own choice before the role's, the role's before the shipped one."""

from __future__ import annotations

import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, BoardEnv
from page_env import ADMIN

from guardia.board.audit import log
from guardia.board.dashboard.registry import CARDS
from guardia.board.home import layouts
from guardia.errors import Forbidden, Invalid
from guardia.org.access import ROLES


def test_every_role_has_cards_that_exist_and_that_it_may_see(env: BoardEnv) -> None:
    known = {card.name for card in CARDS}
    assert set(layouts.SHIPPED) == set(ROLES)
    assert {name for names in layouts.SHIPPED.values() for name in names} <= known
    for person in (CUSTOMER, ENGINEER, LEAD, ADMIN):
        assert layouts.cards_of(env.board, person) == layouts.SHIPPED[person.role]


def test_own_choice_comes_before_that_of_the_role(env: BoardEnv) -> None:
    board = env.board
    layouts.choose_for_role(board, ADMIN, "engineer", ["hours", "servers"])
    assert layouts.cards_of(board, ENGINEER) == ("hours", "servers")
    layouts.choose_own(board, ENGINEER, ["failures", "requests", "failures"])
    assert layouts.cards_of(board, ENGINEER) == ("failures", "requests")
    layouts.choose_own(board, ENGINEER, [])
    assert layouts.cards_of(board, ENGINEER) == ()
    layouts.choose_own(board, ENGINEER, None)
    assert layouts.cards_of(board, ENGINEER) == ("hours", "servers")
    layouts.choose_for_role(board, ADMIN, "engineer", None)
    assert layouts.cards_of(board, ENGINEER) == layouts.SHIPPED["engineer"]
    with board.database.reading() as session:
        kinds = [entry.kind for entry in log.entries(session)]
    assert kinds.count("home_changed") == 2


def test_cards_that_a_person_may_not_see_are_refused(env: BoardEnv) -> None:
    with pytest.raises(Invalid):
        layouts.choose_own(env.board, CUSTOMER, ["integrity"])
    with pytest.raises(Invalid):
        layouts.choose_own(env.board, ENGINEER, ["no-such-card"])
    with pytest.raises(Invalid):
        layouts.choose_for_role(env.board, ADMIN, "nobody", ["requests"])
    with pytest.raises(Forbidden):
        layouts.choose_for_role(env.board, LEAD, "engineer", ["requests"])


def test_a_default_of_a_role_shows_nothing_beyond_a_persons_rights(env: BoardEnv) -> None:
    layouts.choose_for_role(env.board, ADMIN, "customer", ["requests", "integrity"])
    assert layouts.cards_of(env.board, CUSTOMER) == ("requests",)
