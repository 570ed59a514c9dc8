"""Responses of the tool proxy to errors; a database outage is left to the beat."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest
from adapter_env import LOCKS, FakeTransport, adapter_context, adapter_entry
from autonomy_env import apply_autonomy
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


def proxy_of(env: BoardEnv, board: BoardContext) -> ToolProxy:
    here = replace(
        adapter_context(env, Claim(1, 1, "db-agent", 1, 1), FakeTransport()), board=board
    )
    return ToolProxy(here, adapter_entry({"kind": "process", "command": ["/bin/true"]}), 1, None)


@pytest.mark.slow
def test_a_database_outage_is_raised_to_the_beat(env: BoardEnv) -> None:
    gone = Database("postgresql://guardia@127.0.0.1:9/guardia")
    with pytest.raises(OUTAGE_ERRORS):
        proxy_of(env, keyless_context(gone)).serve(READ)
    gone.close()


def test_an_error_in_one_request_is_its_response(
    env: BoardEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(board: BoardContext, _hold: Claim) -> None:
        with board.database.reading() as session:
            session.execute(text("select 1 / 0"))

    monkeypatch.setattr(tool_proxy.grants, "grant_reads", faulty)
    answer = proxy_of(env, env.board).serve(READ)
    assert answer.status == 500 and "DataError" in str(answer.body)


@pytest.mark.slow
def test_an_external_agent_that_may_only_observe_ends_nothing_by_itself(env: BoardEnv) -> None:
    apply_autonomy(env, "[{institution: MOF, mode: observe}]")
    claim = env.create_parsed_task()
    with psycopg.connect(env.dsn) as connection:
        connection.execute("update tb_sr_request set kind = 'REQUEST'")
    here = adapter_context(env, claim, FakeTransport())
    proxy = ToolProxy(here, adapter_entry({"kind": "process", "command": ["/bin/true"]}), 1, None)
    answer = proxy.serve(CallRequest(1, "finish", {"text": "조치할 것이 없습니다."}))
    assert (answer.status, answer.body) == (200, {"state": "MANUAL"})
