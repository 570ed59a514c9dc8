"""What existed once must exist: each lost, emptied, cut or replaced witness is named."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import psycopg
import pytest
from audit_env import AuditEnv
from board_env import LEAD

from guardia.board.approvals import decisions
from guardia.board.core.actors import Actor
from guardia.board.execution import tasks
from guardia.board.integrity import daily_report
from guardia.board.integrity.acknowledgement import acknowledge_loss
from guardia.board.integrity.notary import Notary
from guardia.errors import Invalid, Misconfigured, Refused

OPERATOR = Actor.operator("test")


@pytest.fixture
def grown(audit_env: AuditEnv) -> AuditEnv:
    """Two checkpoints, copied twice, verified."""
    audit_env.write(6 - audit_env.size())
    audit_env.sign_checkpoint()
    audit_env.write(12 - audit_env.size())
    audit_env.sign_checkpoint()
    assert audit_env.verify().intact
    return audit_env


def copy(audit_env: AuditEnv, number: int = 1) -> Path:
    return audit_env.witness_files.copies[number] / "main.jsonl"


def older(audit_env: AuditEnv) -> None:
    copy(audit_env).write_bytes(copy(audit_env).read_bytes().splitlines(keepends=True)[0])


def repeated(audit_env: AuditEnv) -> None:
    last = copy(audit_env).read_bytes().splitlines(keepends=True)[-1]
    copy(audit_env).write_bytes(copy(audit_env).read_bytes() + last)


def repeated_in_the_middle(audit_env: AuditEnv) -> None:
    first, last = copy(audit_env).read_bytes().splitlines(keepends=True)
    copy(audit_env).write_bytes(first + first + last)


def replaced_by_a_folder(audit_env: AuditEnv) -> None:
    copy(audit_env).unlink()
    copy(audit_env).mkdir()


def all_gone(audit_env: AuditEnv) -> None:
    """Remove all checkpoints, copies, and everything that the verifier has remembered."""
    audit_env.attack("delete from tb_audit_checkpoint")
    for folder in audit_env.witness_files.copies:
        copy_file = folder / "main.jsonl"
        copy_file.unlink()
    for path in (audit_env.witness_files.verifier_state, audit_env.witness_files.memory):
        path.unlink()


LOSSES: dict[str, tuple[Callable[[AuditEnv], object], str]] = {
    "a copy deleted": (lambda e: copy(e).unlink(), "copy_lost"),
    "its folder deleted": (lambda e: shutil.rmtree(e.witness_files.copies[0]), "copy_lost"),
    "a copy emptied": (lambda e: copy(e).write_bytes(b""), "copy_empty"),
    "a copy cut": (older, "copy_cut"),
    "the last line repeated": (repeated, "copy_repeated"),
    "a line repeated": (repeated_in_the_middle, "copy_repeated"),
    "garbage added": (lambda e: copy(e).open("ab").write(b"\xff\n"), "copy_damaged"),
    "deep JSON added": (lambda e: copy(e).open("ab").write(b"[" * 9999 + b"\n"), "copy_damaged"),
    "a folder in its place": (replaced_by_a_folder, "copy_damaged"),
    "the verifier state": (lambda e: e.witness_files.verifier_state.unlink(), "memory_lost"),
    "the memory": (lambda e: e.witness_files.memory.unlink(), "memory_lost"),
    "checkpoints": (lambda e: e.attack("delete from tb_audit_checkpoint"), "missing"),
    "everything": (all_gone, "missing"),
}


@pytest.mark.parametrize("which", LOSSES)
@pytest.mark.slow
def test_a_lost_witness_is_named_and_stops_signing_until_acknowledged(
    grown: AuditEnv, which: str
) -> None:
    lose, fault = LOSSES[which]
    lose(grown)
    grown.write(1)
    other_process = replace(grown.board, notary=Notary(grown.witness_files))
    for board in (grown.board, other_process):
        with pytest.raises(Refused):
            board.sign_checkpoint()
    assert not grown.verify(full=False).intact
    assert grown.verify().verdict.fault == fault
    grown.witness_files.copies[0].mkdir(exist_ok=True)
    moved = acknowledge_loss(grown.board, OPERATOR, "디스크 교체")
    assert all(path.exists() for path in moved)
    [entry] = [link for link in grown.links() if link.kind == "witness_lost"]
    assert (entry.detail["fault"], entry.detail["reason"]) == (fault, "디스크 교체")
    assert entry.detail["kept"] == [str(path) for path in moved]
    found = grown.verify()
    assert (found.intact, found.verdict.sealed) == (True, grown.size())
    with pytest.raises(Invalid):
        acknowledge_loss(grown.board, OPERATOR, "다시")


@pytest.mark.slow
def test_entries_that_presuppose_a_checkpoint_prove_that_there_was_one(
    audit_env: AuditEnv,
) -> None:
    waiting, _, bound = audit_env.env.create_filed_plan()
    claim = audit_env.approved()
    shutil.rmtree(audit_env.witness_files.key.parent)
    for path in (audit_env.witness_files.memory, copy(audit_env, 0), copy(audit_env, 1)):
        path.unlink()
    audit_env.attack("delete from tb_audit_checkpoint")
    for privileged in (
        lambda: tasks.begin_execution(audit_env.board, claim),
        lambda: decisions.decide(
            audit_env.board, LEAD, waiting.task_id, approve=True, plan_hash=bound
        ),
    ):
        with pytest.raises(Refused):
            privileged()
    assert audit_env.verify().verdict.fault == "missing"


def test_a_log_with_an_altered_entry_is_not_signed_after_the_verification(
    grown: AuditEnv,
) -> None:
    grown.attack("update tb_audit_log set actor = 'x' where seq = 3")
    assert grown.verify().verdict.bad == 3
    grown.write(1)
    with pytest.raises(Refused, match="마지막 검증"):
        grown.sign_checkpoint()
    with pytest.raises(Refused):
        acknowledge_loss(grown.board, OPERATOR, "괜찮음")
    grown.attack("update tb_audit_log set actor = 'person:lead' where seq = 3")
    assert grown.verify(full=False).start > 0
    with pytest.raises(Refused):
        grown.sign_checkpoint()  # a partial look proves nothing about entry 3
    assert grown.verify().intact
    assert grown.sign_checkpoint() == 13


DAMAGED = {
    "empty": b"",
    "garbage": b"\xff\x00",
    "cut": b'{"size": 12, "head": "ab',
    "a list": b"[]",
    "deep": b"[" * 100_000,
    "other fields": b'{"n": 1}',
    "wrong types": b'{"size": "12", "head": 1, "key": "", "checkpoint": 1, "identity": ""}',
    "negative": b'{"size": -1, "identity": "", "verified": true, "copies": {}}',
    "wrong copies": b'{"size": 1, "identity": "", "verified": true, "copies": {"x": 3}}',
}


def test_a_damaged_file_is_named_alerts_and_stops_signing(grown: AuditEnv) -> None:
    grown.write(1)
    files = grown.witness_files
    for path, content in product((files.verifier_state, files.memory), DAMAGED.values()):
        whole = path.read_bytes()
        path.write_bytes(content)
        for act in (grown.verify, grown.sign_checkpoint):
            with pytest.raises(Misconfigured, match=path.name):
                act()
        path.write_bytes(whole)
    files.memory.write_bytes(b"")
    found = daily_report.verify_and_log(grown.board, Actor.agent("auditor"))
    assert found.verdict.fault == "memory_damaged"
    with psycopg.connect(grown.superuser) as connection:
        alerts = connection.execute("select text from tb_outbox where kind = 'alert'").fetchall()
    assert any("witnesses.json" in text and "손상" in text for (text,) in alerts)
    acknowledge_loss(grown.board, OPERATOR, "파일 손상")
    assert grown.verify().intact


def test_a_copy_that_may_not_be_read(grown: AuditEnv) -> None:
    if os.geteuid() != 0:
        copy(grown).chmod(0)
        assert grown.verify().verdict.fault == "copy_denied"
        return
    # The superuser of the system reads everything: so ask as another account.
    from guardia.board.integrity.witness_memory import load_memory
    from guardia.board.integrity.witnesses import CheckpointCopy

    memory = load_memory(grown.witness_files.memory)
    assert memory is not None
    known = memory.copies[str(copy(grown))]
    copy(grown).chmod(0)
    pid = os.fork()
    if pid == 0:
        os.seteuid(65534)
        found = CheckpointCopy(grown.witness_files.copies[1]).find_fault(known)
        os._exit(0 if found == "copy_denied" else 1)
    assert os.waitpid(pid, 0)[1] == 0


def test_files_of_earlier_versions_are_taken_over(grown: AuditEnv) -> None:
    files = grown.witness_files
    files.memory.unlink()
    state = json.loads(files.verifier_state.read_text())
    del state["witnessed"]
    files.verifier_state.write_text(json.dumps(state))
    assert grown.verify(full=False).intact
    grown.write(1)
    grown.sign_checkpoint()
    assert grown.verify().intact
    copy(grown).write_bytes(b"")
    assert grown.verify().verdict.fault == "copy_empty"


def test_a_key_without_a_checkpoint_after_a_crash_signs(audit_env: AuditEnv) -> None:
    """The key is stored before the first checkpoint; the public file only after it."""
    from guardia.board.audit import checkpoint as checkpoints
    from guardia.org.credential_store import FileCredentialStore

    path = audit_env.witness_files.key
    FileCredentialStore(path.parent).get_or_create(path.name, checkpoints.generate_key)
    audit_env.write(1)
    audit_env.sign_checkpoint()
    assert audit_env.verify().intact
