"""External agents on real servers: they repair, and reach nothing beyond their task."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from external_agents import (
    EXAMPLE,
    audit_entries,
    python_adapter,
    shared_folder,
    stack_with_external_agent,
)
from full_stack import seed_full_stack
from waiting import wait_until

from guardia.board.core.lifecycle import State
from guardia.tools.lab.running_fleet import RunningFleet

pytestmark = pytest.mark.slow

TEXT = "기재부 운영DB 쿼리가 너무 느려요"


@pytest.fixture
def place(database: Any, practice: RunningFleet) -> Iterator[Path]:
    """Return a worker's own folder, with the fleet's key."""
    with shared_folder() as folder:
        seed_full_stack(database.owner, database.app, practice, folder / "secrets")
        yield folder


@pytest.fixture
def scripts() -> Iterator[Path]:
    """Return a folder for programs that run under another account."""
    with shared_folder() as folder:
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


def test_a_program_repairs_under_approval_and_reaches_nothing_else(
    database: Any, practice: RunningFleet, place: Path, scripts: Path
) -> None:
    source = GREEDY + EXAMPLE.read_text("utf-8").replace("from __future__ import annotations", "")
    adapter = python_adapter(scripts, source)
    name, _ = practice.credential()
    adapter["command"] += [str(place / "secrets" / name), str(place / "secrets.key")]
    with stack_with_external_agent(
        database.app, practice, place, adapter, tools=["database.*"]
    ) as stack:
        assert not practice.fault("lock-chain").good
        sr_id = stack.request(TEXT)
        assert wait_until(lambda: stack.state(sr_id) is State.PENDING_APPROVAL), (
            place / "worker.log"
        ).read_text()
        assert stack.changes(sr_id) == [] and not practice.is_healthy("lock-chain")
        stack.decide(sr_id)
        assert wait_until(lambda: len(audit_entries(stack.board, "outside_ended")) == 2), (
            place / "worker.log"
        ).read_text()
        assert stack.state(sr_id) is State.COMPLETED
        assert practice.is_healthy("lock-chain")
        assert stack.changes(sr_id) == ["database.terminate_session"]
        first, second = (e.detail for e in audit_entries(stack.board, "outside_ended"))
        assert (first["how"], second["how"]) == ("ended", "ended")
        assert (first["refusals"], second["refusals"]) == (7, 0)
        codes, opened = first["output"].splitlines()[0].split("] [")
        assert codes == "[404, 409, 409, 422, 409, 403, 403, 401, 401"
        assert os.geteuid() != 0 or opened == "False, False]"
        assert not Path("/tmp/guardia-greedy").exists()
        assert len(audit_entries(stack.board, "outside_refused")) == 7
        assert audit_entries(stack.board, "planned")[0].actor == "agent:db-agent"
