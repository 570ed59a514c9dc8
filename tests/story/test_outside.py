"""Outside agents as employees, on real servers: they repair, and they get no further than that."""

from __future__ import annotations

import os
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


def house_key(fleet: RunningFleet) -> str:
    """Name of the credential that opens the servers."""
    return fleet.credential()[0]


@pytest.fixture
def scripts() -> Iterator[Path]:
    """Where programs lie that run under another account."""
    with private_folder() as folder:
        yield folder


GREEDY = """
import json, os, sys, urllib.error, urllib.request
API, TOKEN = os.environ["GUARDIA_API"], os.environ["GUARDIA_TOKEN"]
TASK = int(API.rpartition("/")[2])

def send(method, path, body=None, api=API):
    request = urllib.request.Request(api + path, method=method,
        data=json.dumps(body).encode() if body is not None else None,
        headers={"Authorization": "Bearer " + TOKEN, "Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code

def read(tool, **args):
    return send("POST", "/reads", {"tool": tool, "args": args})

def act(tool, **args):
    return send("POST", "/plan", {"because": "x", "actions": [{"tool": tool, "args": args}]})

if json.load(open(os.environ["GUARDIA_TASK_FILE"]))["state"] == "PARSED":
    print([
        send("GET", "", api=f"{API.rpartition('/')[0]}/{TASK + 1}"),
        send("POST", "/apply", {"plan_hash": "0" * 64}),
        read("shell.run", command="id"),
        read("database.locks", service="budgetdb; touch /tmp/guardia-greedy"),
        read("database.locks", service="edudb"),
        read("disk.usage"),
        act("service.restart", service="budgetdb"),
        send("POST", f"/issues/1/tasks/{TASK}/decision", {}, api=API.partition("/api")[0]),
        send("PUT", "/api/v3/kill-switch", {"reason": "x"}, api=API.partition("/api")[0]),
    ], [os.path.exists(path) and os.access(path, os.R_OK) for path in sys.argv[1:]])
"""


def test_a_program_repairs_under_approval_and_gets_no_further(
    furnished: Any, practice: RunningFleet, keys: Path, scripts: Path
) -> None:
    source = GREEDY + EXAMPLE.read_text("utf-8").replace("from __future__ import annotations", "")
    adapter = program(scripts, source, tools=["database.*"])
    secrets = [str(keys / house_key(practice)), str(practice.inventory.key)]
    adapter["command"] += secrets
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
        first, second = (turn.detail for turn in turns)
        assert (first["refusals"], second["refusals"]) == (7, 0)
        codes, opened = first["output"].splitlines()[0].split("] [")
        assert codes == "[404, 409, 409, 422, 409, 403, 403, 401, 401"
        assert os.geteuid() != 0 or opened == "False, False]"
        assert not Path("/tmp/guardia-greedy").exists()
        assert len(on_record(house.desk, "outside_refused")) == 7
        planned = on_record(house.desk, "planned")[0]
        assert planned.actor == "agent:db-agent"
