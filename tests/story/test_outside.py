"""Outside agents as employees, on real servers: they repair, and they get no further than that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from house import furnish
from outsiders import EXAMPLE, employing, on_record, private_folder, program

from guardia.board.lifecycle import State
from guardia.tools.lab.running import RunningFleet

pytestmark = pytest.mark.slow

TEXT = "기재부 운영DB 쿼리가 너무 느려요"


@pytest.fixture
def furnished(database: Any, practice: RunningFleet, keys: Path) -> Any:
    """A database that a house may open."""
    furnish(database.owner, database.app, practice, keys)
    return database


@pytest.fixture
def scripts() -> Iterator[Path]:
    """Where programs lie that run under another account."""
    with private_folder() as folder:
        yield folder


def test_a_program_diagnoses_plans_and_repairs_under_approval(
    furnished: Any, practice: RunningFleet, keys: Path, scripts: Path
) -> None:
    adapter = program(scripts, EXAMPLE, tools=["database.*"])
    with employing(furnished.app, practice, keys, adapter) as house:
        assert not practice.fault("lock-chain").good
        sr_id = house.request(TEXT)
        house.work()
        assert house.state(sr_id) is State.PENDING_APPROVAL
        assert house.changes(sr_id) == [] and not practice.healthy("lock-chain")
        house.decide(sr_id)
        house.work()
        assert house.state(sr_id) is State.COMPLETED
        assert practice.healthy("lock-chain")
        assert house.changes(sr_id) == ["database.terminate_session"]
        turns = on_record(house.desk, "outside_ended")
        assert [turn.detail["how"] for turn in turns] == ["ended", "ended"]
        assert [turn.detail["refusals"] for turn in turns] == [0, 0]
        planned = on_record(house.desk, "planned")[0]
        assert planned.actor == "agent:db-agent"
