"""What the clerk answers by itself; a database that is away it leaves to the beat."""

from __future__ import annotations

from dataclasses import replace

import pytest
from adapter_env import LOCKS, FakeTransport, adapter_context, adapter_entry
from board_env import BoardEnv
from sqlalchemy import text

from guardia.agents.adapters import tool_proxy
from guardia.agents.adapters.tool_proxy import ToolProxy
from guardia.board.core.claims import Claim
from guardia.board.core.context import BoardContext
from guardia.board.core.keyless import keyless_context
from guardia.board.external_agents.calls import CallRequest
from guardia.db.engine import OUTAGE_ERRORS, Database

READ = CallRequest(1, "read", LOCKS)


def clerk_of(env: BoardEnv, board: BoardContext) -> ToolProxy:
    here = replace(
        adapter_context(env, Claim(1, 1, "db-agent", 1, 1), FakeTransport()), board=board
    )
    return ToolProxy(here, adapter_entry({"kind": "process", "command": ["/bin/true"]}), 1, None)


def test_a_database_that_is_away_is_the_beats_to_wait_for(env: BoardEnv) -> None:
    gone = Database("postgresql://guardia@127.0.0.1:9/guardia")
    with pytest.raises(OUTAGE_ERRORS):
        clerk_of(env, keyless_context(gone)).serve(READ)
    gone.close()


def test_a_fault_in_one_request_is_its_answer_and_the_turn_goes_on(
    env: BoardEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(board: BoardContext, _hold: Claim) -> None:
        with board.database.reading() as session:
            session.execute(text("select 1 / 0"))

    monkeypatch.setattr(tool_proxy.grants, "grant_reads", faulty)
    answer = clerk_of(env, env.board).serve(READ)
    assert answer.status == 500 and "DataError" in str(answer.body)
