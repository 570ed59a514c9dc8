"""Every directive says what it leads to, in both languages, and what it needs."""

from __future__ import annotations

import pytest
from board_env import LEAD, BoardEnv

from guardia.board.control import directives
from guardia.board.control.directive_handlers import VERBS
from guardia.board.control.directives import DirectiveRequest
from guardia.board.control.verbs import DIRECTIVE_VERBS
from guardia.board.core.lifecycle import OPEN_STATES, State
from guardia.errors import Missing
from guardia.i18n import t


def test_the_table_has_exactly_the_verbs_that_can_be_given() -> None:
    assert set(DIRECTIVE_VERBS) == {*VERBS, "change"}


@pytest.mark.parametrize("name", DIRECTIVE_VERBS)
def test_each_consequence_is_a_sentence_of_its_own(name: str) -> None:
    text = t(DIRECTIVE_VERBS[name].consequence)
    assert text.endswith(".") and text != t(f"board.verb.{name}")


@pytest.mark.parametrize("state", sorted(OPEN_STATES))
def test_what_is_offered_is_in_the_table(state: State) -> None:
    for waiting in (False, True):
        offered = directives.allowed_verbs(
            state, paused=False, undoing=False, planned=True, waiting=waiting
        )
        assert set(offered) <= set(DIRECTIVE_VERBS)


def test_a_verb_that_needs_a_reason_is_refused_without_one(env: BoardEnv) -> None:
    claim = env.create_parsed_task()
    directives.issue_directive(env.board, LEAD, claim.task_id, DirectiveRequest("abort"))
    assert DIRECTIVE_VERBS["reopen"].needs_reason
    with pytest.raises(Missing):
        directives.issue_directive(env.board, LEAD, claim.task_id, DirectiveRequest("reopen"))
