"""Artefacts: who may add and remove them, what is recorded, and which content stays."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Any

import pytest
from board_env import CUSTOMER, ENGINEER, LEAD
from sqlalchemy import select

from guardia.board.artifacts import records, view
from guardia.board.artifacts.blob_store import BlobStore
from guardia.board.artifacts.records import NewArtifact
from guardia.board.audit.model import AuditEntry
from guardia.board.core.keyset import Keyset
from guardia.errors import Forbidden, Invalid, NotFound, Refused, StoreFull
from guardia.org.directory import PersonInfo

KEYS = {
    "rsa": ("-algorithm", "RSA"),
    "ec": ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
}


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "store", file_bytes=1 << 30, total_bytes=1 << 30)


def add(
    env: Any,
    store: BlobStore,
    version: str,
    content: bytes = b"war",
    person: PersonInfo = ENGINEER,
    **more: Any,
) -> int:
    keys = more.pop("keys", None)
    new = NewArtifact(more.pop("name", "budget"), version, more.pop("file", "budget.war"), **more)
    with records.prepare(env.board, store, person, new, len(content)) as incoming:
        incoming.write(content)
        incoming.seal()
        return records.add(env.board, store, person, new, incoming, keys)


def entries(env: Any) -> list[tuple[str, dict[str, Any]]]:
    with env.board.database.reading() as session:
        query = select(AuditEntry.kind, AuditEntry.detail).order_by(AuditEntry.seq)
        return [(k, d) for k, d in session.execute(query) if k.startswith("artifact")]


def test_the_same_content_is_stored_once_and_removed_with_its_last_name(
    env: Any, store: BlobStore
) -> None:
    first, second = add(env, store, "1.0"), add(env, store, "1.1")
    found = view.list_artifacts(env.board, ENGINEER, Keyset(size=10)).rows
    assert [(one.number, one.version, one.size) for one in found] == [
        (second, "1.1", 3), (first, "1.0", 3)
    ]  # fmt: skip
    assert found[0].sha256 == found[1].sha256 and found[0].created_by == "김철수 대리"
    assert len(list(store.digests())) == 1
    records.remove(env.board, store, LEAD, first)
    assert len(list(store.digests())) == 1
    records.remove(env.board, store, LEAD, second)
    assert list(store.digests()) == []
    with pytest.raises(NotFound):
        records.remove(env.board, store, LEAD, second)
    kinds = [kind for kind, _ in entries(env)]
    assert kinds == ["artifact_added"] * 2 + ["artifact_removed"] * 2
    assert entries(env)[0][1]["sha256"] == found[0].sha256


def test_rights_and_names(env: Any, store: BlobStore) -> None:
    with pytest.raises(Forbidden):
        add(env, store, "1.0", person=CUSTOMER)
    number = add(env, store, "1.0")
    with pytest.raises(Forbidden):
        records.remove(env.board, store, ENGINEER, number)
    with pytest.raises(Forbidden):
        view.get_artifact(env.board, CUSTOMER, number)
    for words in ({"name": "../x"}, {"file": "a/b"}, {"file": "-rf"}, {"name": "예산"}):
        with pytest.raises(Invalid):
            add(env, store, "2.0", **words)
    for version in ("-1", "1/2", "", "1 2"):
        with pytest.raises(Invalid):
            add(env, store, version)
    with pytest.raises(Invalid, match="이미 등록된"):
        add(env, store, "1.0", b"other")
    assert len(list(store.digests())) == 1


def test_what_is_still_needed_is_not_removed(env: Any, store: BlobStore) -> None:
    number = add(env, store, "1.0")
    with env.board.database.transaction() as session:
        records.hold(session, number, "rollout:1")
    with pytest.raises(Refused, match="rollout:1"):
        records.remove(env.board, store, LEAD, number)
    assert view.get_artifact(env.board, LEAD, number).holders == ("rollout:1",)
    with env.board.database.transaction() as session:
        records.release(session, "rollout:1")
    records.remove(env.board, store, LEAD, number)


def test_the_store_is_bounded_as_a_whole(env: Any, tmp_path: Path) -> None:
    small = BlobStore(tmp_path / "small", file_bytes=100, total_bytes=150)
    add(env, small, "1.0", bytes(100))
    add(env, small, "1.1", bytes(50))
    with pytest.raises(StoreFull):
        add(env, small, "1.2", b"x")


def test_a_content_without_a_row_is_garbage(env: Any, store: BlobStore) -> None:
    number = add(env, store, "1.0")
    with store.receive() as incoming:  # a process that ended between the file and its row
        incoming.write(b"lost")
        incoming.seal()
        store.keep(incoming)
    assert records.collect_garbage(env.board, store) == 1
    assert list(store.digests()) == [view.get_artifact(env.board, LEAD, number).sha256]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KEYS)
def test_a_signature_counts_only_from_a_configured_key(
    env: Any, store: BlobStore, tmp_path: Path, kind: str
) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    file = tmp_path / "budget.war"
    file.write_bytes(b"war")
    signed = {}
    for name in ("builder", "stranger"):
        private = tmp_path / f"{name}.key"
        openssl = ["openssl"]
        subprocess.run([*openssl, "genpkey", *KEYS[kind], "-out", private], check=True)
        made = [*openssl, "dgst", "-sha256", "-sign", private, file]
        signed[name] = base64.b64encode(
            subprocess.run(made, check=True, capture_output=True).stdout
        ).decode()
    public = [*openssl, "pkey", "-in", tmp_path / "builder.key", "-pubout"]
    subprocess.run([*public, "-out", keys / "builder.pem"], check=True)
    number = add(env, store, "1.0", signature=signed["builder"], keys=keys)
    assert view.get_artifact(env.board, LEAD, number).signed_by == "builder"
    for version, content, signature in (
        ("1.1", b"war", signed["stranger"]),
        ("1.2", b"changed", signed["builder"]),
        ("1.3", b"war", "no base64!"),
    ):
        with pytest.raises(Invalid):
            add(env, store, version, content, signature=signature, keys=keys)
    with pytest.raises(Invalid):
        add(env, store, "1.4", signature=signed["builder"])  # no key is configured
