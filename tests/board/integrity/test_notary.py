from __future__ import annotations

import json
import os
import shutil
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest
from audit_env import AuditEnv
from board_env import LEAD, PM

from guardia.board.approvals import decisions
from guardia.board.audit import log
from guardia.board.control import directives
from guardia.board.control import kill_switch as control_kill_switch
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core import kill_switch
from guardia.board.execution import tasks
from guardia.board.integrity.notary import Notary
from guardia.db.engine import Database
from guardia.errors import Misconfigured


def alerts(sealed: AuditEnv) -> list[str]:
    with psycopg.connect(sealed.superuser) as connection:
        rows = connection.execute("select text from tb_outbox where kind = 'alert' order by 1")
        return [row[0] for row in rows]


def sizes(sealed: AuditEnv, place: int) -> list[int]:
    text = (sealed.witness_files.copies[place] / "main.jsonl").read_text()
    return [json.loads(line)["size"] for line in text.splitlines()]


def test_the_key_is_created_once_and_private(sealed: AuditEnv) -> None:
    assert sealed.board.notary.root_key() is None
    sealed.sign_checkpoint()
    key, public = sealed.witness_files.key, sealed.witness_files.public
    made = key.read_text()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(public.stat().st_mode) == 0o644
    assert "PRIVATE" not in public.read_text()
    sealed.write(1)
    sealed.sign_checkpoint()
    assert key.read_text() == made


def test_it_signs_only_new_entries(sealed: AuditEnv) -> None:
    first = sealed.sign_checkpoint()
    assert sealed.sign_checkpoint() == first
    sealed.write(2)
    assert sealed.sign_checkpoint() == first + 2
    assert sizes(sealed, 0) == sizes(sealed, 1) == [first, first + 2]


def test_a_host_without_the_key_creates_no_second_one(sealed: AuditEnv) -> None:
    sealed.sign_checkpoint()
    sealed.witness_files.key.unlink()
    sealed.write(1)
    with pytest.raises(Misconfigured):
        sealed.sign_checkpoint()
    assert not sealed.witness_files.key.exists()


def test_a_checkpoint_comes_before_the_first_command(sealed: AuditEnv) -> None:
    claim = sealed.approved()
    tasks.begin_execution(sealed.board, claim)
    with sealed.board.database.reading() as session:
        last = log.last_checkpoint(session)
        assert last is not None
        covered = log.entry_at(session, last.size)
    assert covered is not None
    assert covered.kind == "started"
    assert sizes(sealed, 1)[-1] == last.size


def covered(sealed: AuditEnv) -> list[str]:
    """Return the kind of the newest entry that each checkpoint covers."""
    with sealed.board.database.reading() as session:
        found = [log.entry_at(session, c.size) for c in log.checkpoints(session)]
    return [link.kind for link in found if link is not None]


def test_a_checkpoint_comes_before_each_privileged_action(sealed: AuditEnv) -> None:
    board = sealed.board
    claim, _, bound = sealed.env.create_filed_plan()
    decisions.decide(board, LEAD, claim.task_id, approve=True, plan_hash=bound)
    assert covered(sealed) == ["planned"]
    directives.issue_directive(board, PM, claim.task_id, DirectiveRequest("priority", "급함", "P1"))
    assert covered(sealed) == ["planned", "approved"]
    control_kill_switch.kill(board, LEAD, "점검")
    control_kill_switch.release(board, PM, "끝")
    assert covered(sealed)[2:] == ["kill_report"]


def test_stopping_work_neither_waits_for_a_signature_nor_fails_without_one(
    sealed: AuditEnv,
) -> None:
    claim, _, bound = sealed.env.create_filed_plan()
    other, _, _ = sealed.env.create_filed_plan()
    sealed.sign_checkpoint()
    sealed.witness_files.key.unlink()
    for verb in ("pause", "manual", "abort"):
        directives.issue_directive(
            sealed.board, LEAD, other.task_id, DirectiveRequest(verb, "멈춤")
        )
    control_kill_switch.kill(sealed.board, LEAD, "이상")
    assert kill_switch.active_kill_switch(sealed.board) is not None
    for privileged in (
        lambda: decisions.decide(sealed.board, LEAD, claim.task_id, approve=True, plan_hash=bound),
        lambda: control_kill_switch.release(sealed.board, PM, "끝"),
        lambda: directives.issue_directive(
            sealed.board, LEAD, other.task_id, DirectiveRequest("return")
        ),
    ):
        with pytest.raises(Misconfigured):
            privileged()
    with psycopg.connect(sealed.superuser) as connection:
        query = "select count(*) from procrastinate_jobs where task_name = 'seal'"
        assert connection.execute(query).fetchone() == (4,)  # a worker signs the stop
    assert sum("서명하지 못했습니다" in alert for alert in alerts(sealed)) == 1


def test_a_lost_second_copy_alerts_once_and_stops_nothing(sealed: AuditEnv) -> None:
    shutil.rmtree(sealed.witness_files.copies[1])
    claim = sealed.approved()
    tasks.begin_execution(sealed.board, claim)
    sealed.write(1)
    sealed.sign_checkpoint()
    assert len(alerts(sealed)) == 1
    assert str(sealed.witness_files.copies[1]) in alerts(sealed)[0]
    assert sealed.verify().missing == (str(sealed.witness_files.copies[1] / "main.jsonl"),)
    # Once it is reachable again, it gets the missed checkpoints.
    sealed.witness_files.copies[1].mkdir()
    sealed.sign_checkpoint()
    assert sizes(sealed, 1) == sizes(sealed, 0)
    assert sealed.verify().intact


def test_a_hanging_copy_does_not_block_work(
    sealed: AuditEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guardia.board.integrity.notary._COPY_TIMEOUT", 0.2)
    path = sealed.witness_files.copies[1] / "main.jsonl"
    path.touch()
    descriptor = os.open(path, os.O_RDWR)
    fcntl = pytest.importorskip("fcntl")
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    sealed.sign_checkpoint()
    sealed.write(1)
    sealed.sign_checkpoint()
    assert len(alerts(sealed)) == 1
    os.close(descriptor)


def test_a_half_written_line_is_written_again(sealed: AuditEnv) -> None:
    sealed.sign_checkpoint()
    sealed.write(1)
    sealed.sign_checkpoint()
    path = sealed.witness_files.copies[0] / "main.jsonl"
    path.write_bytes(path.read_bytes()[:-10])
    sealed.sign_checkpoint()
    assert sizes(sealed, 0) == sizes(sealed, 1)
    assert sealed.verify().intact


def test_a_copy_that_the_database_contradicts_is_left_as_it_is_and_alerts(sealed: AuditEnv) -> None:
    sealed.sign_checkpoint()
    sealed.write(1)
    newest = sealed.sign_checkpoint()
    sealed.attack("delete from tb_audit_checkpoint where size = %(n)s", n=newest)
    sealed.write(1)
    sealed.sign_checkpoint()
    assert sizes(sealed, 0)[-1] == newest
    assert len(alerts(sealed)) == 2
    verdict = sealed.verify().verdict
    assert (verdict.fault, verdict.checkpoint) == ("missing", newest)


def test_hosts_that_sign_concurrently_create_one_series(sealed: AuditEnv) -> None:
    sealed.sign_checkpoint()
    hosts = [replace(sealed, board=replace(sealed.board, notary=Notary(sealed.witness_files)))] * 4

    def work_on(host: AuditEnv) -> None:
        for _ in range(5):
            host.write(1)
            host.sign_checkpoint()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work_on, hosts))
    found = sealed.verify()
    assert found.intact
    assert found.verdict.sealed == sealed.size()
    assert sizes(sealed, 0) == sizes(sealed, 1) == sorted(set(sizes(sealed, 0)))


def test_fifty_writers_and_a_notary_keep_the_order(sealed: AuditEnv) -> None:
    database = Database(sealed.board.database.dsn, pool_size=51)
    many = replace(sealed, board=replace(sealed.board, database=database))
    done = threading.Event()

    def notary() -> None:
        while not done.is_set():
            many.sign_checkpoint()

    watching = threading.Thread(target=notary)
    watching.start()
    try:
        with ThreadPoolExecutor(50) as pool:
            list(pool.map(many.write, [4] * 50))
    finally:
        done.set()
        watching.join()
        database.close()
    sealed.sign_checkpoint()
    assert sealed.verify().verdict.sealed == sealed.size() >= 200


def test_every_thousandth_entry_requests_a_checkpoint(sealed: AuditEnv) -> None:
    def asked() -> int:
        with psycopg.connect(sealed.superuser) as connection:
            query = "select count(*) from procrastinate_jobs where task_name = 'seal'"
            row = connection.execute(query).fetchone()
            return int(row[0]) if row else 0

    sealed.attack(
        "update tb_audit_head set size = %(size)s", size=log.CHECKPOINT_EVERY - 2
    )  # writing such a long chain takes time
    sealed.write(1)
    assert asked() == 0
    sealed.write(2)
    assert asked() == 1


def test_a_second_verification_starts_where_the_first_ended(sealed: AuditEnv) -> None:
    sealed.write(4)
    sealed.sign_checkpoint()
    assert sealed.verify(full=False).start == 0
    sealed.write(2)
    found = sealed.verify(full=False)
    assert (found.start, found.intact) == (5, True)
    assert found.verdict.size == sealed.size() == 7


def test_the_verifier_state_is_private(sealed: AuditEnv) -> None:
    sealed.sign_checkpoint()
    sealed.verify()
    assert stat.S_IMODE(sealed.witness_files.verifier_state.stat().st_mode) == 0o600
    sealed.witness_files.verifier_state.write_text('{"size": 1}')
    with pytest.raises(Misconfigured):
        sealed.verify()


def test_a_long_copy_is_searched_instead_of_read(sealed: AuditEnv) -> None:
    """Earlier lines are skipped, and none after the range is read."""
    from guardia.board.audit.checkpoint import parse_checkpoint
    from guardia.board.integrity.witnesses import CheckpointCopy

    sealed.sign_checkpoint()
    path = sealed.witness_files.copies[0] / "main.jsonl"
    line = json.loads(path.read_text())
    path.write_text("".join(json.dumps({**line, "size": n}) + "\n" for n in range(1, 2001)))
    copy = CheckpointCopy(sealed.witness_files.copies[0])
    length = copy.length()
    assert length is not None
    for after in (0, 1, 777, 1999, 2000):
        assert [c.size for c in copy.read(length, after)] == list(range(after + 1, 2001))
    assert parse_checkpoint(line).size == line["size"]
