"""A changed host key blocks its server until a person confirms the new one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, BoardEnv

from guardia.board.audit import log
from guardia.board.cmdb import host_keys, view
from guardia.board.core.actors import Actor
from guardia.board.core.model import Issue, Task
from guardia.errors import Forbidden, Invalid, Missing

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB8Ht8Z3j6yDWPBHQtOp/R9rjWvfMYo3MSA/K6q8D86r"
SERVER = "MOF-DB-01"


def test_a_server_is_blocked_and_one_issue_opened_for_people(env: BoardEnv) -> None:
    with ThreadPoolExecutor(4) as threads:
        numbers = list(threads.map(lambda _: host_keys.report_changed(env.board, SERVER), range(4)))
    (number,) = [n for n in numbers if n is not None]
    assert view.server(env.board, SERVER).blocked
    with env.board.database.reading() as session:
        issue = session.get(Issue, number)
        task = session.query(Task).filter(Task.sr_id == number).one()
        assert log.verify_all(session).intact
        kinds = [entry.kind for entry in log.entries(session)]
    assert issue is not None and SERVER in issue.title and issue.inst_id == "MOF"
    assert (task.status, task.target_server, task.owner_id) == ("MANUAL", SERVER, "eng")
    assert kinds[-2:] == ["received", "host_key_changed"]


def test_a_person_confirms_the_new_key_with_a_reason(env: BoardEnv) -> None:
    host_keys.report_changed(env.board, SERVER)
    for by in (CUSTOMER, LEAD, Actor.agent("db-agent")):
        with pytest.raises(Forbidden):
            host_keys.confirm(env.board, by, SERVER, KEY, "교체함")
    with pytest.raises(Missing):
        host_keys.confirm(env.board, ENGINEER, SERVER, KEY, "  ")
    with pytest.raises(Invalid):
        host_keys.confirm(env.board, ENGINEER, SERVER, "ssh-ed25519 !!", "교체함")
    host_keys.confirm(env.board, ENGINEER, SERVER, f"{KEY} comment", "장비 교체")
    found = view.server(env.board, SERVER)
    assert (found.blocked, found.host_key) == ("", KEY)
    assert host_keys.report_changed(env.board, SERVER) is not None  # changed again: again an issue


def test_an_unknown_server_is_not_reported(env: BoardEnv) -> None:
    assert host_keys.report_changed(env.board, "NONE") is None
