"""What the clerk answers by itself; a database that is away it leaves to the beat."""

from __future__ import annotations

from dataclasses import replace

import pytest
from adapter_env import LOCKS, Hands, context, entry
from cast import Cast
from sqlalchemy import text

from guardia.agents.adapters import tool_proxy
from guardia.agents.adapters.tool_proxy import Clerk
from guardia.board.core.claims import Hold
from guardia.board.core.context import Desk
from guardia.board.external_agents.calls import Request
from guardia.db.engine import AWAY, Database

READ = Request(1, "read", LOCKS)


def clerk_of(cast: Cast, desk: Desk) -> Clerk:
    here = replace(context(cast, Hold(1, 1, "db-agent", 1, 1), Hands()), desk=desk)
    return Clerk(here, entry({"kind": "process", "command": ["/bin/true"]}), 1, None)


def test_a_database_that_is_away_is_the_beats_to_wait_for(cast: Cast) -> None:
    gone = Database("postgresql://guardia@127.0.0.1:9/guardia")
    with pytest.raises(AWAY):
        clerk_of(cast, Desk(gone)).serve(READ)
    gone.close()


def test_a_fault_in_one_request_is_its_answer_and_the_turn_goes_on(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(desk: Desk, _hold: Hold) -> None:
        with desk.database.reading() as session:
            session.execute(text("select 1 / 0"))

    monkeypatch.setattr(tool_proxy.tasks, "observe", faulty)
    answer = clerk_of(cast, cast.desk).serve(READ)
    assert answer.status == 500 and "DataError" in str(answer.body)
