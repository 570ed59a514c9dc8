"""Both verifiers check passkey signatures, even if the attacker holds every key of the board."""

from __future__ import annotations

import copy
import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from audit_env import AuditEnv, open_audit_env
from board_env import LEAD, LEAD2
from passkey_env import demand_passkeys, register, waiting

from guardia.board.audit import checkpoint as checkpoints
from guardia.board.audit import verifier
from guardia.board.audit.chain import ORIGIN, ChainEntry
from guardia.board.audit.checkpoint import Checkpoint, load_private_key, public_pem
from guardia.board.audit.passkey_signatures import (
    PASSKEY_KINDS,
    KeyRegister,
    challenge_of,
    decode,
    encode,
)
from guardia.board.integrity import export
from guardia.board.passkeys import credentials

Links = list[ChainEntry]
Attack = Callable[[Links], int]
"""Changes the entries, and returns the number of the entry that must be found."""


def signed_story(audit_env: AuditEnv) -> Links:
    """Two people register, both approve a plan each, and one passkey is removed."""
    env = audit_env.env
    demand_passkeys(env)
    devices = {LEAD: register(env), LEAD2: register(env, LEAD2)}
    for person, at in zip(devices, (waiting(env), waiting(env)), strict=True):
        at.approve(devices[person].get(at.options(person)), person)
    own = credentials.list_passkeys(env.board, LEAD)
    credentials.remove(env.board, LEAD, own[0].passkey_id)
    return audit_env.links()


def find(links: Links, kind: str, which: int = 0) -> int:
    """Return the index of an entry of a kind."""
    return [n for n, link in enumerate(links) if link.kind == kind][which]


def chained(audit_env: AuditEnv, links: Links) -> Links:
    """Return the entries with new hashes, and with statements signed by the board's own key."""
    made: Links = []
    for n, link in enumerate(links, start=1):
        before, detail = made[-1].current_hash if made else ORIGIN, copy.deepcopy(link.detail)
        if "statement" in detail:
            statement = {**detail["statement"], "chain_head": before}
            detail |= {
                "statement": statement,
                **audit_env.board.decision_signer.sign(statement, None),
            }
        forged = replace(link, seq=n, detail=detail, previous_hash=before)
        made.append(replace(forged, current_hash=forged.hash()))
    return made


def keep(links: Links) -> int:
    return 0


def change(index: int, links: Links, **values: Any) -> int:
    """Change values of a decision's passkey signature."""
    detail = copy.deepcopy(links[index].detail)
    detail["passkey"] |= values
    if "content" in values:
        detail["statement"]["passkey"] = encode(challenge_of(detail["passkey"]["content"]))
    links[index] = replace(links[index], detail=detail)
    return links[index].seq


def content(**values: Any) -> Attack:
    def attack(links: Links) -> int:
        at = find(links, "approved")
        return change(at, links, content={**links[at].detail["passkey"]["content"], **values})

    return attack


def byte_changed(name: str, at: int) -> Attack:
    def attack(links: Links) -> int:
        index = find(links, "approved")
        data = bytearray(decode(links[index].detail["passkey"][name]))
        data[at] ^= 0x04
        return change(index, links, **{name: encode(bytes(data))})

    return attack


def without_signature(links: Links) -> int:
    at = find(links, "approved")
    detail = {k: v for k, v in links[at].detail.items() if k != "passkey"}
    detail["statement"] = {k: v for k, v in detail["statement"].items() if k != "passkey"}
    links[at] = replace(links[at], detail=detail)
    return links[at].seq


def statement_names_no_challenge(links: Links) -> int:
    at = find(links, "approved")
    detail = copy.deepcopy(links[at].detail)
    del detail["statement"]["passkey"]
    links[at] = replace(links[at], detail=detail)
    return links[at].seq


def of_another_person(links: Links) -> int:
    """Move the signature of one approval to the other."""
    one, other = find(links, "approved"), find(links, "approved", 1)
    return change(other, links, **links[one].detail["passkey"])


def another_person_in_statement(links: Links) -> int:
    at = find(links, "approved")
    detail = copy.deepcopy(links[at].detail)
    detail["statement"]["person"] = LEAD2.id
    links[at] = replace(links[at], detail=detail)
    return links[at].seq


def other_key_registered(links: Links) -> int:
    one, other = find(links, "passkey_registered"), find(links, "passkey_registered", 1)
    detail = copy.deepcopy(links[one].detail)
    detail["statement"]["public_key"] = links[other].detail["statement"]["public_key"]
    links[one] = replace(links[one], detail=detail)
    return links[find(links, "approved")].seq


def never_registered(links: Links) -> int:
    links.pop(find(links, "passkey_registered"))
    return links[find(links, "approved")].seq - 1


def removed_before(links: Links) -> int:
    removed = links.pop(find(links, "passkey_removed"))
    links.insert(at := find(links, "approved"), replace(removed, created_at=removed.created_at))
    in_order(links)
    return at + 2


def registered_twice(links: Links) -> int:
    at = find(links, "passkey_registered")
    links.insert(at + 1, links[at])
    in_order(links)
    return at + 2


def head_of_later(links: Links) -> int:
    """Name an entry after the decision as head."""
    return content(head=links[-1].current_hash)(links)


def in_order(links: Links) -> None:
    """Give moved entries the times of their places, so that only their order is wrong."""
    times = sorted(link.created_at for link in links)
    for n, link in enumerate(links):
        tick = times[0].resolution * n
        links[n] = replace(link, created_at=times[n] + tick)


ATTACKS: list[Attack] = [
    content(plan_hash="0" * 64),
    content(issue=99),
    content(task=99),
    content(person="lead2"),
    content(verdict="reject"),
    content(expiry=1),
    content(nonce="0" * 32),
    content(head=ORIGIN),
    byte_changed("signature", -1),
    byte_changed("authenticator_data", 32),  # the flag of user verification
    byte_changed("authenticator_data", 0),
    byte_changed("authenticator_data", -1),
    byte_changed("client_data", 40),
    without_signature,
    statement_names_no_challenge,
    of_another_person,
    another_person_in_statement,
    other_key_registered,
    never_registered,
    removed_before,
    registered_twice,
    head_of_later,
]


def exported(links: Links, pem: str) -> bytes:
    """Return an export of entries, with one checkpoint signed with the attacker's copy of a key."""
    last, key = links[-1], load_private_key(pem)
    plain = Checkpoint("main", last.seq, last.current_hash, last.created_at, ORIGIN)
    lines: list[dict[str, Any]] = [{"export": {"format": verifier.FORMAT, "chain": "main"}}]
    lines += [{"entry": {**link.body(), "current_hash": link.current_hash}} for link in links]
    lines.append({"checkpoint": checkpoints.sign(plain, key).to_dict()})
    lines.append({"end": {"entries": len(links), "checkpoints": 1}})
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


@pytest.mark.slow
def test_each_attack_on_an_export_is_found(audit_env: AuditEnv) -> None:
    links, pem = signed_story(audit_env), checkpoints.generate_key()
    public = load_private_key(pem).public_key()
    assert verifier.verify_export(io.BytesIO(exported(links, pem)), public).intact
    missed = []
    for attack in ATTACKS:
        forged = list(links)
        expected = attack(forged)
        changed = chained(audit_env, forged)
        verdict = verifier.verify_export(io.BytesIO(exported(changed, pem)), public)
        if verdict.fault != "passkey" or verdict.bad != expected:
            missed.append((ATTACKS.index(attack), expected, verdict.bad, verdict.fault))
    assert not missed


@pytest.mark.slow
def test_a_signature_counts_only_with_the_key_that_was_registered_then(
    audit_env: AuditEnv,
) -> None:
    """What changes before a decision also changes the head that its challenge names."""
    links = signed_story(audit_env)
    attacks = (other_key_registered, never_registered, removed_before)
    for change_log, counts in ((keep, True), *((attack, False) for attack in attacks)):
        changed, register_of_keys = list(links), KeyRegister()
        change_log(changed)
        for link in changed[: find(changed, "approved")]:
            if link.kind in PASSKEY_KINDS:
                register_of_keys.apply(link)
        signer = register_of_keys.signer_of(changed[find(changed, "approved")])
        assert (signer is not None) == counts


@pytest.mark.slow
@pytest.mark.parametrize("attack", [without_signature, content(plan_hash="0" * 64)])
def test_the_verification_of_the_database_finds_it_too(
    audit_env: AuditEnv, database: Any, tmp_path: Path, attack: Attack
) -> None:
    links = signed_story(audit_env)
    assert audit_env.verify().intact
    expected = attack(links)
    audit_env.rewrite(chained(audit_env, links))
    audit_env.attack("delete from tb_audit_checkpoint")
    (fresh := tmp_path / "fresh").mkdir()
    verdict = open_audit_env(audit_env.env, database.superuser, fresh).verify().verdict
    assert (verdict.bad, verdict.fault) == (expected, "passkey")


@pytest.mark.slow
def test_the_stand_alone_verifier_accepts_an_honest_export_and_finds_an_altered_entry(
    audit_env: AuditEnv, tmp_path: Path
) -> None:
    signed_story(audit_env)
    file, pub = tmp_path / "log.jsonl", tmp_path / "key.pem"
    export.export_log(audit_env.board, file)
    root = audit_env.board.notary.root_key()
    assert root is not None
    pub.write_text(public_pem(root))

    def verify() -> dict[str, Any]:
        command = [sys.executable, "-m", "guardia.board.audit.verifier", str(file), str(pub)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        found: dict[str, Any] = json.loads(ended.stdout)
        return found

    assert verify()["intact"]
    text = file.read_text()
    nonce = next(
        json.loads(line)["entry"]["detail"]["passkey"]["content"]["nonce"]
        for line in text.splitlines()
        if '"authenticator_data"' in line
    )
    file.write_text(text.replace(nonce, "0" * 32))
    assert verify()["fault"] == "content"
