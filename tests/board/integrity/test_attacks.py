"""Attacks on the audit log by an owner of the database; each is identified or refused."""

from __future__ import annotations

import json
import shutil
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from audit_env import AuditEnv
from board_env import LEAD, OFFICER, PM, TERMINATE, BoardEnv, assignment, plan
from psycopg.types.json import Jsonb
from signing_env import ephemeral_signer

from guardia.board.approvals import decisions
from guardia.board.audit import checkpoint as checkpoints
from guardia.board.audit import log, signing_keys, verifier
from guardia.board.audit.chain import ChainEntry
from guardia.board.audit.checkpoint import (
    Checkpoint,
    fingerprint,
    load_private_key,
    public_pem,
    sign,
)
from guardia.board.audit.signing import DecisionSigner
from guardia.board.audit.signing_keys import public_hex
from guardia.board.core.actors import Actor
from guardia.board.core.plan import ToolCall
from guardia.board.execution import assignments, commands, grants, tasks
from guardia.board.execution.commands import CommandResult, PlanStep
from guardia.board.integrity import export, key_rotation
from guardia.errors import Forbidden, Misconfigured, Refused
from guardia.org.credential_store import FileCredentialStore

READ = ToolCall(tool="database.locks", args={"service": "budgetdb"})
Outcome = tuple[int | None, str | None]


def outcome(audit_env: AuditEnv, *, full: bool = True) -> Outcome:
    """Return the first bad entry and its fault."""
    verdict = audit_env.verify(full=full).verdict
    return verdict.bad, verdict.fault


@pytest.fixture
def grown(audit_env: AuditEnv) -> AuditEnv:
    """Twelve entries and two checkpoints, not verified yet."""
    audit_env.write(6 - audit_env.size())
    audit_env.sign_checkpoint()
    audit_env.write(12 - audit_env.size())
    audit_env.sign_checkpoint()
    return audit_env


def test_an_untouched_log_is_intact(grown: AuditEnv) -> None:
    for full in (True, False, True):
        found = grown.verify(full=full)
        assert found.intact
        assert (found.verdict.size, found.verdict.sealed) == (12, 12)
        assert not found.missing


COLUMNS = {
    "seq": ("seq = 99", "gap"),
    "created_at": ("created_at = created_at + interval '1 microsecond'", "content"),
    "actor": ("actor = 'agent:was-agent'", "content"),
    "kind": ("kind = 'approved'", "content"),
    "sr_id": ("sr_id = 77", "content"),
    "task_id": ("task_id = 77", "content"),
    "log_content": ("log_content = log_content || ' '", "content"),
    "detail": ("detail = detail || '{\"n\": 1.5}'", "content"),
    "previous_hash": ("previous_hash = repeat('f', 64)", "link"),
    "current_hash": ("current_hash = repeat('f', 64)", "content"),
}


def test_every_column_is_attacked() -> None:
    assert set(COLUMNS) == set(ChainEntry.__slots__)


@pytest.mark.parametrize("column", COLUMNS)
def test_a_change_of_any_column(grown: AuditEnv, column: str) -> None:
    change, fault = COLUMNS[column]
    grown.attack(f"update tb_audit_log set {change} where seq = 5")
    assert outcome(grown) == (5, fault)


def rehashed(text: str) -> str:
    """Return a statement that gives entry 5 other bytes with their own hash."""
    return f"""update tb_audit_log set canonical = {text}, current_hash = encode(sha256(convert_to(
        'guardia.audit.entry.v1' || chr(10) || {text}, 'UTF8')), 'hex') where seq = 5"""


BYTES = {
    "other bytes": ("canonical = replace(canonical, '기록', '위조')", "content"),
    "no JSON": ("canonical = 'x'", "content"),
    "no object": ("canonical = '[]'", "content"),
    "empty": ("canonical = ''", "content"),
    "spaces": ("canonical = canonical || ' '", "content"),
    "column and bytes": ("canonical = null, actor = 'x'", "content"),
    "an equal number": (
        "detail = jsonb_set(detail, '{n}', (detail ->> 'n' || '.0')::jsonb)",
        "content",
    ),
    "a value added": ("detail = detail || '{\"x\": null}'", "content"),
}


@pytest.mark.parametrize("how", BYTES)
def test_columns_and_canonical_bytes_must_agree(grown: AuditEnv, how: str) -> None:
    change, fault = BYTES[how]
    grown.attack(f"update tb_audit_log set {change} where seq = 5")
    assert outcome(grown) == (5, fault)


def test_entries_without_stored_bytes_are_recomputed(grown: AuditEnv) -> None:
    grown.attack("update tb_audit_log set canonical = null where seq in (3, 5)")
    assert outcome(grown) == (None, None)
    grown.attack("update tb_audit_log set kind = 'x' where seq = 5")
    assert outcome(grown) == (5, "content")


@pytest.mark.parametrize("how", ["doubled key", "spaces", "other order"])
def test_bytes_that_are_not_canonical_are_never_signed(grown: AuditEnv, how: str) -> None:
    """They have the values of the columns and the right hash; only their form is another."""
    grown.write(1)
    text = {
        "doubled key": 'replace(canonical, \'{"actor":\', \'{"actor":"x","actor":\')',
        "spaces": "replace(canonical, ',\"kind\"', ', \"kind\"')",
        "other order": "(canonical::jsonb)::text",
    }[how]
    grown.attack(rehashed(text).replace("seq = 5", "seq = 13"))
    grown.attack(HEAD)
    with pytest.raises(Refused, match="13번 항목"):
        grown.sign_checkpoint()


def test_a_database_whose_operators_lie(grown: AuditEnv) -> None:
    """The verification uses the system's own functions and operators."""
    grown.attack(
        "create function public.yes(text, text) returns boolean language sql immutable"
        " as 'select true'",
        "create operator public.= (leftarg = text, rightarg = text, function = public.yes)",
        "alter role guardia_app set search_path = public, pg_catalog",
        "update tb_audit_log set actor = 'x' where seq = 5",
    )
    try:
        grown.board.database.close()
        assert outcome(grown) == (5, "content")
    finally:
        grown.attack("alter role guardia_app reset search_path")


HEAD = """update tb_audit_head set
    size = (select max(seq) from tb_audit_log),
    head = (select current_hash from tb_audit_log order by seq desc limit 1)"""
DELETIONS = {
    "first": ("delete from tb_audit_log where seq = 1", (1, "gap")),
    "middle": ("delete from tb_audit_log where seq in (5, 6)", (5, "gap")),
    "last": ("delete from tb_audit_log where seq > 9", (10, "tail")),
    "all": ("delete from tb_audit_log", (1, "tail")),
}


@pytest.mark.parametrize("which", DELETIONS)
@pytest.mark.parametrize("hide", [False, True], ids=["plain", "head-too"])
def test_deletion(grown: AuditEnv, which: str, hide: bool) -> None:
    statement, expected = DELETIONS[which]
    head = HEAD if which != "all" else "update tb_audit_head set size = 0, head = repeat('0', 64)"
    grown.attack(statement, *([head] if hide else []))
    assert outcome(grown) == expected


def test_insertion(grown: AuditEnv) -> None:
    copied = grown.links()[4]
    grown.attack(
        "update tb_audit_log set seq = -seq where seq >= 5",
        "update tb_audit_log set seq = 1 - seq where seq < 0",
    )
    forged = replace(copied, created_at=copied.created_at - timedelta(microseconds=1))
    grown.insert(replace(forged, current_hash=forged.hash()))
    assert outcome(grown) == (6, "link")


def test_swap(grown: AuditEnv) -> None:
    grown.attack(
        "update tb_audit_log set seq = 0 where seq = 5",
        "update tb_audit_log set seq = 5 where seq = 6",
        "update tb_audit_log set seq = 6 where seq = 0",
    )
    assert outcome(grown) == (5, "link")


def test_replay_of_an_old_entry(grown: AuditEnv) -> None:
    old = grown.links()[4]
    later = replace(old, seq=13, created_at=old.created_at + timedelta(days=1))
    grown.insert(replace(later, current_hash=later.hash()))
    grown.attack(HEAD)
    assert outcome(grown) == (13, "link")


def edited(grown: AuditEnv) -> list[ChainEntry]:
    links = grown.links()
    links[4] = replace(links[4], log_content="위조")
    return links


def without(place: str) -> Callable[[AuditEnv], None]:
    def forget(grown: AuditEnv) -> None:
        if place in ("checkpoints", "copies", "first-copy"):
            grown.attack("delete from tb_audit_checkpoint")
        if place in ("copies", "first-copy"):
            shutil.rmtree(grown.witness_files.copies[0])
        if place == "copies":
            shutil.rmtree(grown.witness_files.copies[1])

    return forget


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        # The first checkpoint after the edit contradicts, then each copy, finally the verifier
        # state.
        ("nothing", (6, "rewritten")),
        ("checkpoints", (6, "rewritten")),
        ("first-copy", (6, "rewritten")),
        ("copies", (12, "rewritten")),
    ],
)
@pytest.mark.slow
def test_the_whole_chain_recomputed_after_an_edit(
    audit_env: AuditEnv, lost: str, expected: Outcome
) -> None:
    audit_env.write(6 - audit_env.size())
    audit_env.sign_checkpoint()
    audit_env.write(6)
    audit_env.sign_checkpoint()
    if lost == "copies":
        assert audit_env.verify().intact  # so that the verifier remembers
    audit_env.rewrite(edited(audit_env))
    without(lost)(audit_env)
    assert outcome(audit_env) == expected


@pytest.mark.slow
def test_a_recomputed_chain_is_not_signed_and_nothing_privileged_runs_on_it(
    audit_env: AuditEnv,
) -> None:
    waiting, _, bound = audit_env.env.create_filed_plan()
    claim = audit_env.approved()
    audit_env.sign_checkpoint()
    links = audit_env.links()
    audit_env.rewrite([replace(links[0], log_content="위조"), *links[1:]])
    with pytest.raises(Refused):
        tasks.begin_execution(audit_env.board, claim)
    with pytest.raises(Refused):
        decisions.decide(audit_env.board, LEAD, waiting.task_id, approve=True, plan_hash=bound)
    with psycopg.connect(audit_env.superuser) as connection:
        alerts = connection.execute("select text from tb_outbox where kind = 'alert'").fetchall()
    assert len(alerts) == 1
    assert "서명하지 않았습니다" in alerts[0][0]


def test_a_restored_backup(grown: AuditEnv) -> None:
    grown.backup()
    grown.write(5)
    grown.sign_checkpoint()
    assert grown.verify(full=False).intact
    grown.restore()
    assert outcome(grown, full=False) == (13, "tail")
    assert outcome(grown) == (13, "tail")
    # Only the copies know it.
    grown.witness_files.verifier_state.unlink()
    assert outcome(grown) == (13, "tail")


def test_a_backup_that_has_grown_again(grown: AuditEnv) -> None:
    grown.backup()
    grown.write(5)
    grown.sign_checkpoint()
    assert grown.verify().intact
    grown.restore()
    grown.write(9)
    assert outcome(grown, full=False) == (17, "rewritten")
    grown.witness_files.verifier_state.unlink()
    assert outcome(grown) == (17, "rewritten")


def test_the_newest_checkpoint_deleted(grown: AuditEnv) -> None:
    assert grown.verify().intact
    grown.attack("delete from tb_audit_checkpoint where size = 12")
    for memory in (True, False):
        if not memory:
            grown.witness_files.verifier_state.unlink()
        for full in (True, False):
            verdict = grown.verify(full=full).verdict
            assert (verdict.fault, verdict.checkpoint) == ("missing", 12)


def test_an_old_checkpoint_replayed(grown: AuditEnv) -> None:
    grown.attack(
        "delete from tb_audit_checkpoint where size = 12",
        "insert into tb_audit_checkpoint select chain, 12, head, time, head, key, signature"
        " from tb_audit_checkpoint",
    )
    verdict = grown.verify().verdict
    assert (verdict.fault, verdict.checkpoint) == ("signature", 12)


CHECKPOINT_COLUMNS = {
    "chain": "chain = 'other'",
    "size": "size = 11",
    "head": "head = repeat('f', 64)",
    "time": "time = time + interval '1 second'",
    "previous": "previous = repeat('f', 64)",
    "key": "key = repeat('f', 64)",
    "signature": "signature = repeat('f', 128)",
}


def test_every_checkpoint_column_is_attacked() -> None:
    assert set(CHECKPOINT_COLUMNS) == set(Checkpoint.__slots__)


@pytest.mark.parametrize("column", CHECKPOINT_COLUMNS)
def test_a_change_of_any_column_of_a_checkpoint(grown: AuditEnv, column: str) -> None:
    grown.attack(f"update tb_audit_checkpoint set {CHECKPOINT_COLUMNS[column]} where size = 12")
    verdict = grown.verify().verdict
    expected = {"key": (12, "key"), "chain": (12, "missing"), "size": (11, "signature")}
    assert (verdict.checkpoint, verdict.fault) == expected.get(column, (12, "signature"))


def signed_again(grown: AuditEnv) -> None:
    """Sign every checkpoint again with another key and replace the key files."""
    pem, path = checkpoints.generate_key(), grown.witness_files.key
    path.write_text(pem)
    key = load_private_key(pem)
    grown.witness_files.public.write_text(public_pem(key.public_key()))
    shutil.rmtree(grown.witness_files.copies[0])
    with psycopg.connect(grown.superuser) as connection:
        rows = connection.execute("select * from tb_audit_checkpoint order by size").fetchall()
    grown.attack("delete from tb_audit_checkpoint")
    before = rows[0][4]
    for row in rows:
        made = sign(Checkpoint(row[0], row[1], row[2], row[3], before), key)
        before = made.identity()
        grown.attack(
            "insert into tb_audit_checkpoint values (%(chain)s, %(size)s, %(head)s, %(time)s,"
            " %(previous)s, %(key)s, %(signature)s)",
            **{name: getattr(made, name) for name in made.__slots__},
        )


@pytest.mark.parametrize("memory", [True, False])
def test_the_key_swapped(grown: AuditEnv, memory: bool) -> None:
    assert grown.verify().intact
    if not memory:
        grown.witness_files.verifier_state.unlink()
    signed_again(grown)
    verdict = grown.verify().verdict
    # Without verifier state, only the second copy differs; it cannot tell which key is right.
    assert verdict.fault == ("key" if memory else "copy_damaged")


def test_the_public_key_swapped(grown: AuditEnv) -> None:
    other = load_private_key(checkpoints.generate_key()).public_key()
    grown.witness_files.public.write_text(public_pem(other))
    verdict = grown.verify().verdict
    assert (verdict.checkpoint, verdict.fault) == (6, "key")
    grown.witness_files.public.unlink()
    assert grown.verify().verdict.fault == "key"


def test_another_private_key_signs_nothing(grown: AuditEnv) -> None:
    grown.witness_files.key.write_text(checkpoints.generate_key())
    grown.write(1)
    with pytest.raises(Misconfigured):
        grown.sign_checkpoint()


def rotated(grown: AuditEnv) -> tuple[str, str]:
    """The checkpoint key before and after a rotation."""
    notary = grown.board.notary
    assert notary is not None
    before = public_hex(notary.key(grown.board).public_key())
    return before, key_rotation.rotate_checkpoint_key(grown.board, Actor.operator("test"))


def test_a_replaced_key_is_followed_everywhere(grown: AuditEnv) -> None:
    assert grown.verify().intact
    root = grown.witness_files.public.read_text()
    for _ in range(2):
        before, after = rotated(grown)
        assert before != after
        grown.write(2)
        grown.sign_checkpoint()
        for full in (False, True):
            found = grown.verify(full=full)
            assert (found.intact, found.verdict.sealed) == (True, grown.size()), found.verdict
    assert grown.witness_files.public.read_text() == root
    assert (
        FileCredentialStore(grown.witness_files.key.parent).find(
            f"{grown.witness_files.key.name}.next"
        )
        == ()
    )
    assert len({c["key"] for c in copied(grown)}) == 3


def copied(grown: AuditEnv) -> list[dict[str, Any]]:
    lines = (grown.witness_files.copies[1] / "main.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_an_export_verifies_with_the_first_or_the_last_key(grown: AuditEnv, tmp_path: Path) -> None:
    first = grown.witness_files.public.read_text()
    rotated(grown)
    export.export_log(grown.board, tmp_path / "export")
    notary = grown.board.notary
    assert notary is not None
    keys = {
        "first": checkpoints.load_public_key(first),
        "last": notary.key(grown.board).public_key(),
        "other": load_private_key(checkpoints.generate_key()).public_key(),
    }
    found = {}
    for name, key in keys.items():
        with (tmp_path / "export").open("rb") as file:
            found[name] = verifier.verify_export(file, key).intact
    assert found == {"first": True, "last": True, "other": False}


def announce(grown: AuditEnv, by: str, **changes: str) -> int:
    """Append, as owner of the database, an entry in which `by` announces a successor."""
    successor = load_private_key(checkpoints.generate_key()).public_key()
    said = {**signing_keys.build_announcement("record", load_private_key(by), successor), **changes}
    with grown.board.database.transaction() as session:
        log.append(
            session,
            signing_keys.SUCCESSION_KIND,
            actor="operator:x",
            now=grown.board.clock(),
            detail=dict(said),
            use="",
            key="",
        )
    return grown.size()


@pytest.mark.parametrize("who", ["another key", "the old key", "a changed one"])
def test_a_key_that_the_current_one_has_not_announced(grown: AuditEnv, who: str) -> None:
    store = FileCredentialStore(grown.witness_files.key.parent)
    old = store.get(grown.witness_files.key.name)
    rotated(grown)
    by = {"another key": checkpoints.generate_key(), "the old key": old}.get(
        who, store.get(grown.witness_files.key.name)
    )
    changes = {"public": "ab" * 32} if who == "a changed one" else {}
    at = announce(grown, by, **changes)
    # It is not signed, no privileged action starts on it, and the verification names it.
    with pytest.raises(Refused):
        grown.sign_checkpoint()
    assert outcome(grown) == (at, "succession")
    assert outcome(grown, full=False) == (at, "succession")


def test_the_old_key_signs_nothing_more(grown: AuditEnv) -> None:
    store = FileCredentialStore(grown.witness_files.key.parent)
    old = store.get(grown.witness_files.key.name)
    rotated(grown)
    store.put(grown.witness_files.key.name, old)
    grown.write(1)
    with pytest.raises(Misconfigured):
        grown.sign_checkpoint()


@pytest.mark.parametrize("step", ["announced", "sealed", "placed"])
@pytest.mark.slow
def test_an_interrupted_rotation_is_finished_by_the_next_signature(
    grown: AuditEnv, step: str
) -> None:
    notary, path = grown.board.notary, grown.witness_files.key
    assert notary is not None
    store = FileCredentialStore(path.parent)
    successor = store.get_or_create(f"{path.name}.next", checkpoints.generate_key)
    key_rotation._announce(
        grown.board,
        Actor.operator("x"),
        "record",
        notary.key(grown.board),
        load_private_key(successor),
    )
    if step != "announced":
        grown.sign_checkpoint()
    if step == "placed":
        store.put(path.name, successor)
    grown.write(1)
    grown.sign_checkpoint()
    grown.write(1)
    grown.sign_checkpoint()
    assert grown.verify().intact
    assert copied(grown)[-1]["key"] == fingerprint(load_private_key(successor).public_key())
    rotated(grown)
    grown.write(1)
    grown.sign_checkpoint()
    assert grown.verify().intact


def decided(grown: AuditEnv) -> int:
    """Make a decision on a fresh plan; returns its entry."""
    held, _, bound = grown.env.create_filed_plan()
    words = {"approve": False, "plan_hash": bound, "reason": "반려"}
    decisions.decide(grown.board, LEAD, held.task_id, **words)  # type: ignore[arg-type]
    return max(x.seq for x in grown.links() if x.kind == "rejected")


def kept_decision_key(grown: AuditEnv) -> tuple[AuditEnv, FileCredentialStore]:
    """Return the same board with an installation's stored decision key."""
    store = FileCredentialStore(grown.witness_files.key.parent)
    board = replace(grown.board, decision_signer=DecisionSigner.from_store(store))
    return replace(grown, board=board, env=BoardEnv(board, grown.env.dsn)), store


@pytest.mark.slow
def test_the_decision_key_is_replaced_while_boards_run(grown: AuditEnv) -> None:
    audit_env, store = kept_decision_key(grown)
    decided(audit_env)
    operator, _ = kept_decision_key(grown)
    before = operator.board.decision_signer.public
    after = key_rotation.rotate_decision_key(operator.board, Actor.operator("x"), store)
    at = decided(audit_env)
    assert audit_env.links()[at - 1].detail["key"] == after != before
    key_rotation.rotate_decision_key(operator.board, Actor.operator("x"), store)
    decided(audit_env)
    assert audit_env.verify().intact


@pytest.mark.slow
def test_a_decision_under_a_key_that_was_never_announced(grown: AuditEnv) -> None:
    audit_env, store = kept_decision_key(grown)
    decided(audit_env)
    # An owner of the database without the key, and another host with a key of its own.
    forger = replace(audit_env.board, decision_signer=ephemeral_signer())
    at = decided(replace(audit_env, board=forger, env=BoardEnv(forger, audit_env.env.dsn)))
    assert outcome(audit_env) == (at, "seal")
    key_rotation.rotate_decision_key(audit_env.board, Actor.operator("x"), store)
    with pytest.raises(Misconfigured):
        decided(replace(audit_env, board=forger, env=BoardEnv(forger, audit_env.env.dsn)))


def test_two_heads(grown: AuditEnv) -> None:
    place = grown.witness_files.key
    key = load_private_key(FileCredentialStore(place.parent).get(place.name))
    first = json.loads((grown.witness_files.copies[0] / "main.jsonl").read_text().splitlines()[0])
    root = checkpoints.parse_checkpoint(first)
    other = sign(replace(root, size=13, head="e" * 64), key)
    # The database refuses a second series from the same checkpoint ...
    with pytest.raises(psycopg.errors.UniqueViolation):
        grown.attack(
            "insert into tb_audit_checkpoint"
            " values ('main', 13, 'e', now(), %(previous)s, 'k', 's')",
            previous=other.previous,
        )
    # ... and one that was shown elsewhere contradicts the stored one.
    lines = (grown.witness_files.copies[1] / "main.jsonl").read_text().splitlines()
    forged = sign(replace(checkpoints.parse_checkpoint(json.loads(lines[1])), head="e" * 64), key)
    lines[1] = json.dumps(forged.to_dict())
    (grown.witness_files.copies[1] / "main.jsonl").write_text("\n".join(lines) + "\n")
    assert outcome(grown) == (12, "rewritten")
    assert fingerprint(key.public_key()) == forged.key


def test_a_truncated_copy(grown: AuditEnv) -> None:
    path = grown.witness_files.copies[1] / "main.jsonl"
    path.write_bytes(path.read_bytes()[:-40])
    later = replace(grown.board, clock=lambda: grown.links()[-1].created_at + timedelta(hours=1))
    # It may still be on its way: it is reported as missing, not as forged.
    assert grown.verify().missing == ()
    assert replace(grown, board=later).verify().missing == (str(path),)


@pytest.mark.parametrize("how", ["garbage", "line-lost", "changed"])
def test_a_copy_tampered_with(grown: AuditEnv, how: str) -> None:
    path = grown.witness_files.copies[1] / "main.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    changed = {
        "garbage": "".join(lines) + "not json\n",
        "line-lost": lines[1],
        "changed": lines[0].replace('"size": 6', '"size": 5') + lines[1],
    }[how]
    path.write_text(changed)
    assert grown.verify().verdict.fault == "copy_damaged"


def test_decomposed_text(audit_env: AuditEnv) -> None:
    audit_env.write(3)
    at = audit_env.size()
    text = unicodedata.normalize("NFD", audit_env.links()[-1].log_content)
    audit_env.attack("update tb_audit_log set log_content = %(t)s where seq = %(n)s", t=text, n=at)
    assert outcome(audit_env) == (at, "content")


def test_the_application_cannot_switch_the_trigger_off(env: BoardEnv) -> None:
    for table in ("tb_audit_log", "tb_audit_checkpoint"):
        with (
            psycopg.connect(env.dsn) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(f"alter table {table} disable trigger append_only")


def test_a_superuser_switches_the_trigger_off_and_lets_the_application_write(
    grown: AuditEnv,
) -> None:
    with psycopg.connect(grown.superuser) as connection:
        connection.execute("alter table tb_audit_log disable trigger append_only")
        connection.execute("grant update, delete on tb_audit_log to guardia_app")
    with psycopg.connect(grown.board.database.dsn) as connection:
        connection.execute("update tb_audit_log set actor = 'person:pm' where seq = 7")
    assert outcome(grown) == (7, "content")
    with psycopg.connect(grown.board.database.dsn) as connection:
        connection.execute("delete from tb_audit_log where seq = 3")
    assert outcome(grown) == (3, "gap")


def read_once(audit_env: AuditEnv, *, conclude: bool = True) -> int:
    """Log a remote read; returns the number of its intent."""
    claim = audit_env.env.create_parsed_task()
    intent = commands.record_intent(
        audit_env.board, grants.grant_reads(audit_env.board, claim), READ, "psql …"
    )
    if conclude:
        commands.record_result(
            audit_env.board, intent, CommandResult(True, {"waiting": 3}, "출력 가", 12)
        )
    return intent.seq


def test_an_intent_without_a_result(audit_env: AuditEnv) -> None:
    seq = read_once(audit_env, conclude=False)
    assert audit_env.verify().unsettled == ()  # it may still be running
    later = replace(
        audit_env.board, clock=lambda: audit_env.links()[-1].created_at + timedelta(hours=1)
    )
    found = replace(audit_env, board=later).verify()
    assert (found.unsettled, found.intact) == ((seq,), True)


@pytest.mark.parametrize("which", ["never", "twice"])
@pytest.mark.slow
def test_a_result_without_an_intent(audit_env: AuditEnv, which: str) -> None:
    seq = read_once(audit_env)
    links = audit_env.links()
    result = replace(links[-1], created_at=links[-1].created_at + timedelta(seconds=1))
    if which == "never":
        result = replace(result, detail={**result.detail, "intent": 1})
    audit_env.rewrite([*links, result])
    assert outcome(audit_env) == (seq + 2, "orphan")


EVIDENCE = {
    "output": "update tb_evidence set output = output || ' '",
    "decomposed": "update tb_evidence set output = normalize(output, NFD)",
    "findings": "update tb_evidence set findings = '{\"waiting\": 0}'",
    "float": "update tb_evidence set findings = '{\"waiting\": 0.5}'",
    "hash": "update tb_evidence set sha256 = repeat('f', 64)",
    "deleted": "delete from tb_evidence",
    "moved": "insert into tb_evidence (sr_id, task_id, tool, command, findings, output, sha256,"
    " created_at) select sr_id, task_id, tool, command, findings, output, sha256, created_at"
    " from tb_evidence",
}


@pytest.mark.parametrize("how", EVIDENCE)
@pytest.mark.slow
def test_kept_outputs(audit_env: AuditEnv, how: str) -> None:
    result = read_once(audit_env) + 1
    assert audit_env.verify().intact
    audit_env.attack(EVIDENCE[how])
    assert outcome(audit_env) == (result, "evidence")


def test_a_plan_changed_after_its_approval_is_refused(audit_env: AuditEnv) -> None:
    claim = audit_env.approved()
    grant = tasks.begin_execution(audit_env.board, claim)
    body = plan().model_dump(mode="json")
    body["because"] = "다른 까닭"
    audit_env.attack(
        "update tb_ops_task set plan = %(plan)s where task_id = %(task)s",
        plan=Jsonb(body),
        task=claim.task_id,
    )
    for enter in (tasks.begin_execution, grants.resume_execution, grants.execution_grant):
        with pytest.raises(Refused, match="다릅니다"):
            enter(audit_env.board, claim)
    with pytest.raises(Refused):
        commands.record_intent(audit_env.board, grant, TERMINATE, "psql …", PlanStep(0, "do"))


def test_a_requester_cannot_approve(audit_env: AuditEnv) -> None:
    audit_env.env.create_issue(requester_id=LEAD.id)
    assignments.file_triage(
        audit_env.board, audit_env.env.claim("dispatcher"), assignment("MOF-DB-01")
    )
    claim = audit_env.env.claim("db-agent")
    tasks.file_plan(audit_env.board, claim, plan())
    bound = tasks.plan_hash(claim.task_id, plan())
    with pytest.raises(Forbidden):
        decisions.decide(audit_env.board, LEAD, claim.task_id, approve=True, plan_hash=bound)
    # Another account of the right role may: the tables hold accounts, not identities.
    for other in (PM, OFFICER):
        with pytest.raises(Forbidden):
            decisions.decide(audit_env.board, other, claim.task_id, approve=True, plan_hash=bound)
