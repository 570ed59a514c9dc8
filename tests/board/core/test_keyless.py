"""Tests of a process without keys: it can stop work, but not sign."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from board_env import LEAD, PM, BoardEnv

from guardia.board.approvals import decisions
from guardia.board.control import kill_switch
from guardia.board.core.context import BoardContext
from guardia.board.core.keyless import keyless_context
from guardia.board.execution import tasks
from guardia.board.integrity import entries, verification
from guardia.errors import ProgrammerError


def test_every_context_names_its_keys_and_its_planner(env: BoardEnv) -> None:
    with pytest.raises(TypeError, match=r"decision_signer.*notary.*planner"):
        BoardContext(env.board.database)  # type: ignore[call-arg]


def test_what_would_sign_is_refused_and_leaves_nothing(env: BoardEnv) -> None:
    board = keyless_context(env.board.database)
    claim, _, bound = env.create_filed_plan()
    refused: tuple[Callable[[], object], ...] = (
        board.sign_checkpoint,
        lambda: decisions.decide(board, LEAD, claim.task_id, approve=True, plan_hash=bound),
        lambda: board.decision_signer.sign({}, None),
        lambda: kill_switch.release(board, PM, "끝"),
        lambda: verification.verify_log(board),
        lambda: board.notary.key(board),
        board.notary.root_key,
    )
    kill_switch.kill(board, LEAD, "점검")  # needs no key
    before = entries.size(board)
    for attempt in refused:
        with pytest.raises(ProgrammerError):
            attempt()
    assert entries.size(board) == before


def test_approvals_are_not_proven_without_a_key(env: BoardEnv) -> None:
    claim, _, bound = env.create_filed_plan()
    decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=bound)
    again = env.claim("db-agent")
    with pytest.raises(ProgrammerError):
        tasks.begin_execution(keyless_context(env.board.database), again)


def test_it_offers_no_change_to_plan(env: BoardEnv) -> None:
    assert keyless_context(env.board.database).planner.options() == ()
