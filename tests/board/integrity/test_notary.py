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
from guardia.errors import Misconfigured, Refused


def alerts(audit_env: AuditEnv) -> list[str]:
    with psycopg.connect(audit_env.superuser) as connection:
        rows = connection.execute("select text from tb_outbox where kind = 'alert' order by 1")
        return [row[0] for row in rows]


def sizes(audit_env: AuditEnv, place: int) -> list[int]:
    text = (audit_env.witness_files.copies[place] / "main.jsonl").read_text()
    return [json.loads(line)["size"] for line in text.splitlines()]


def test_the_key_is_created_once_and_private(audit_env: AuditEnv) -> None:
    assert audit_env.board.notary.root_key() is None
    audit_env.sign_checkpoint()
    key, public = audit_env.witness_files.key, audit_env.witness_files.public
    made = key.read_text()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(public.stat().st_mode) == 0o644
    assert "PRIVATE" not in public.read_text()
    audit_env.write(1)
    audit_env.sign_checkpoint()
    assert key.read_text() == made


def test_it_signs_only_new_entries(audit_env: AuditEnv) -> None:
    first = audit_env.sign_checkpoint()
    assert audit_env.sign_checkpoint() == first
    audit_env.write(2)
    assert audit_env.sign_checkpoint() == first + 2
    assert sizes(audit_env, 0) == sizes(audit_env, 1) == [first, first + 2]


def test_a_host_without_the_key_creates_no_second_one(audit_env: AuditEnv) -> None:
    audit_env.sign_checkpoint()
    audit_env.witness_files.key.unlink()
    audit_env.write(1)
    with pytest.raises(Misconfigured):
        audit_env.sign_checkpoint()
    assert not audit_env.witness_files.key.exists()


@pytest.mark.slow
def test_a_checkpoint_comes_before_the_first_command(audit_env: AuditEnv) -> None:
    claim = audit_env.approved()
    tasks.begin_execution(audit_env.board, claim)
    with audit_env.board.database.reading() as session:
        last = log.last_checkpoint(session)
        assert last is not None
        covered = log.entry_at(session, last.size)
    assert covered is not None
    assert covered.kind == "started"
    assert sizes(audit_env, 1)[-1] == last.size


def covered(audit_env: AuditEnv) -> list[str]:
    """Return the kind of the newest entry that each checkpoint covers."""
    with audit_env.board.database.reading() as session:
        found = [log.entry_at(session, c.size) for c in log.checkpoints(session)]
    return [link.kind for link in found if link is not None]


@pytest.mark.slow
def test_a_checkpoint_comes_before_each_privileged_action(audit_env: AuditEnv) -> None:
    board = audit_env.board
    claim, _, bound = audit_env.env.create_filed_plan()
    decisions.decide(board, LEAD, claim.task_id, approve=True, plan_hash=bound)
    assert covered(audit_env) == ["planned"]
    directives.issue_directive(board, PM, claim.task_id, DirectiveRequest("priority", "급함", "P1"))
    assert covered(audit_env) == ["planned", "approved"]
    control_kill_switch.kill(board, LEAD, "점검")
    control_kill_switch.release(board, PM, "끝")
    assert covered(audit_env)[2:] == ["kill_report"]


@pytest.mark.slow
def test_stopping_work_neither_waits_for_a_signature_nor_fails_without_one(
    audit_env: AuditEnv,
) -> None:
    claim, _, bound = audit_env.env.create_filed_plan()
    other, _, _ = audit_env.env.create_filed_plan()
    audit_env.sign_checkpoint()
    audit_env.witness_files.key.unlink()
    for verb in ("pause", "manual", "abort"):
        directives.issue_directive(
            audit_env.board, LEAD, other.task_id, DirectiveRequest(verb, "멈춤")
        )
    control_kill_switch.kill(audit_env.board, LEAD, "이상")
    assert kill_switch.active_kill_switch(audit_env.board) is not None
    for privileged in (
        lambda: decisions.decide(
            audit_env.board, LEAD, claim.task_id, approve=True, plan_hash=bound
        ),
        lambda: control_kill_switch.release(audit_env.board, PM, "끝"),
        lambda: directives.issue_directive(
            audit_env.board, LEAD, other.task_id, DirectiveRequest("return")
        ),
    ):
        with pytest.raises(Misconfigured):
            privileged()
    with psycopg.connect(audit_env.superuser) as connection:
        query = "select count(*) from procrastinate_jobs where task_name = 'seal'"
        assert connection.execute(query).fetchone() == (4,)  # a worker signs the stop
    assert sum("서명하지 못했습니다" in alert for alert in alerts(audit_env)) == 1


@pytest.mark.slow
def test_a_lost_second_copy_alerts_once_and_stops_nothing(audit_env: AuditEnv) -> None:
    shutil.rmtree(audit_env.witness_files.copies[1])
    claim = audit_env.approved()
    tasks.begin_execution(audit_env.board, claim)
    audit_env.write(1)
    audit_env.sign_checkpoint()
    assert len(alerts(audit_env)) == 1
    assert str(audit_env.witness_files.copies[1]) in alerts(audit_env)[0]
    assert audit_env.verify().missing == (str(audit_env.witness_files.copies[1] / "main.jsonl"),)
    # Once it is reachable again, it gets the missed checkpoints.
    audit_env.witness_files.copies[1].mkdir()
    audit_env.sign_checkpoint()
    assert sizes(audit_env, 1) == sizes(audit_env, 0)
    assert audit_env.verify().intact


def test_a_hanging_copy_does_not_block_work(
    audit_env: AuditEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guardia.board.integrity.copy_updater._COPY_TIMEOUT", 0.2)
    path = audit_env.witness_files.copies[1] / "main.jsonl"
    path.touch()
    descriptor = os.open(path, os.O_RDWR)
    fcntl = pytest.importorskip("fcntl")
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    audit_env.sign_checkpoint()
    audit_env.write(1)
    audit_env.sign_checkpoint()
    assert len(alerts(audit_env)) == 1
    os.close(descriptor)


def test_a_half_written_line_is_written_again(audit_env: AuditEnv) -> None:
    audit_env.sign_checkpoint()
    audit_env.write(1)
    audit_env.sign_checkpoint()
    path = audit_env.witness_files.copies[0] / "main.jsonl"
    path.write_bytes(path.read_bytes()[:-10])
    audit_env.sign_checkpoint()
    assert sizes(audit_env, 0) == sizes(audit_env, 1)
    assert audit_env.verify().intact


def test_nothing_is_signed_once_the_database_lacks_a_checkpoint_and_copies_stay(
    audit_env: AuditEnv,
) -> None:
    audit_env.sign_checkpoint()
    audit_env.write(1)
    newest = audit_env.sign_checkpoint()
    audit_env.attack("delete from tb_audit_checkpoint where size = %(n)s", n=newest)
    audit_env.write(1)
    for _ in range(2):
        with pytest.raises(Refused, match="체크포인트"):
            audit_env.sign_checkpoint()
    assert sizes(audit_env, 0)[-1] == newest
    assert len(alerts(audit_env)) == 1
    verdict = audit_env.verify().verdict
    assert (verdict.fault, verdict.checkpoint) == ("missing", newest)


def test_hosts_that_sign_concurrently_create_one_series(audit_env: AuditEnv) -> None:
    audit_env.sign_checkpoint()
    hosts = [
        replace(audit_env, board=replace(audit_env.board, notary=Notary(audit_env.witness_files)))
    ] * 4

    def work_on(host: AuditEnv) -> None:
        for _ in range(5):
            host.write(1)
            host.sign_checkpoint()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work_on, hosts))
    found = audit_env.verify()
    assert found.intact
    assert found.verdict.sealed == audit_env.size()
    assert sizes(audit_env, 0) == sizes(audit_env, 1) == sorted(set(sizes(audit_env, 0)))


@pytest.mark.slow
def test_fifty_writers_and_a_notary_keep_the_order(audit_env: AuditEnv) -> None:
    database = Database(audit_env.board.database.dsn, pool_size=51)
    many = replace(audit_env, board=replace(audit_env.board, database=database))
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
    audit_env.sign_checkpoint()
    assert audit_env.verify().verdict.sealed == audit_env.size() >= 200


def test_every_thousandth_entry_requests_a_checkpoint(audit_env: AuditEnv) -> None:
    def asked() -> int:
        with psycopg.connect(audit_env.superuser) as connection:
            query = "select count(*) from procrastinate_jobs where task_name = 'seal'"
            row = connection.execute(query).fetchone()
            return int(row[0]) if row else 0

    audit_env.attack(
        "update tb_audit_head set size = %(size)s", size=log.CHECKPOINT_EVERY - 2
    )  # writing such a long chain takes time
    audit_env.write(1)
    assert asked() == 0
    audit_env.write(2)
    assert asked() == 1


def test_a_second_verification_starts_where_the_first_ended(audit_env: AuditEnv) -> None:
    audit_env.write(4)
    audit_env.sign_checkpoint()
    assert audit_env.verify(full=False).start == 0
    audit_env.write(2)
    found = audit_env.verify(full=False)
    assert (found.start, found.intact) == (5, True)
    assert found.verdict.size == audit_env.size() == 7


def test_the_verifier_state_is_private(audit_env: AuditEnv) -> None:
    audit_env.sign_checkpoint()
    audit_env.verify()
    assert stat.S_IMODE(audit_env.witness_files.verifier_state.stat().st_mode) == 0o600
    audit_env.witness_files.verifier_state.write_text('{"size": 1}')
    with pytest.raises(Misconfigured):
        audit_env.verify()


def test_a_long_copy_is_searched_instead_of_read(audit_env: AuditEnv) -> None:
    """Earlier lines are skipped, and none after the range is read."""
    from guardia.board.audit.checkpoint import parse_checkpoint
    from guardia.board.integrity.witnesses import CheckpointCopy

    audit_env.sign_checkpoint()
    path = audit_env.witness_files.copies[0] / "main.jsonl"
    line = json.loads(path.read_text())
    path.write_text("".join(json.dumps({**line, "size": n}) + "\n" for n in range(1, 2001)))
    copy = CheckpointCopy(audit_env.witness_files.copies[0])
    length = copy.length()
    assert length is not None
    for after in (0, 1, 777, 1999, 2000):
        assert [c.size for c in copy.read(length, after)] == list(range(after + 1, 2001))
    assert parse_checkpoint(line).size == line["size"]
