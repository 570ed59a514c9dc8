"""Tests of what people choose directives from."""

from __future__ import annotations

import pytest
from board_env import BoardEnv

from guardia.board.control import directive_options, directives
from guardia.board.core.lifecycle import State
from guardia.i18n import LANGUAGES, catalogue


@pytest.mark.parametrize("state", State)
def test_every_directive_says_what_it_does_in_every_state(state: State) -> None:
    for undoing in (False, True):
        for paused in (False, True):
            verbs = directives.allowed_verbs(state, paused=paused, undoing=undoing, planned=True)
            for option in directive_options.directive_options(verbs, state, undoing=undoing):
                name = option.consequence.removeprefix("board.consequence.")
                for language in LANGUAGES:
                    assert catalogue(language, "board")["consequence"][name], option


def test_aborting_running_work_says_that_it_is_undone() -> None:
    (before,) = directive_options.directive_options(["abort"], State.APPROVED, undoing=False)
    (running,) = directive_options.directive_options(["abort"], State.IN_PROGRESS, undoing=False)
    assert before.consequence != running.consequence
    assert before.ends_something and running.ends_something


def test_assignees_are_engineers_and_then_agents_that_operate(env: BoardEnv) -> None:
    with env.board.database.reading() as session:
        found = directive_options.assignees(session)
    kinds = [one.is_agent for one in found]
    assert kinds == sorted(kinds) and kinds[0] is False
    assert [one.name for one in found if one.id == "eng"] == ["김철수 대리"]
    assert {"db-agent", "was-agent"} <= {one.id for one in found}
    assert "dispatcher" not in {one.id for one in found}
