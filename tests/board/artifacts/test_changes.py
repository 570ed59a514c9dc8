"""Files of an artefact compared with those of another one."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from deploy_env import archive

from guardia.board.artifacts import changes
from guardia.board.artifacts.blob_store import BlobStore


def kept(store: BlobStore, content: bytes) -> str:
    with store.receive() as incoming:
        incoming.write(content)
        incoming.seal()
        store.keep(incoming)
        return incoming.sha256


def zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return packed.getvalue()


def test_files_are_compared_and_secrets_masked(tmp_path: Path) -> None:
    store = BlobStore(tmp_path, file_bytes=1 << 30, total_bytes=1 << 30)
    old = {"a.conf": b"port=1\npassword=first-secret\n", "gone": b"x", "same": b"s"}
    new = {"a.conf": b"port=2\npassword=second-secret\n", "new.bin": b"\0\1", "same": b"s"}
    for pack in (archive, zipped):
        found = changes.compare(store, kept(store, pack(new)), kept(store, pack(old)))
        assert found is not None and found.same == 1 and found.complete
        assert [(c.name, c.kind) for c in found.changes] == [
            ("a.conf", "changed"), ("gone", "removed"), ("new.bin", "added")
        ]  # fmt: skip
        assert "+port=2" in found.changes[0].diff and "-port=1" in found.changes[0].diff
        assert not any("secret" in line for line in found.changes[0].diff)
        assert found.changes[2].diff == ()


def test_what_is_no_archive_has_no_files(tmp_path: Path) -> None:
    store = BlobStore(tmp_path, file_bytes=1 << 30, total_bytes=1 << 30)
    for content in (b"plain", b"PK no zip", archive({"a": b"1"})[:30]):
        assert changes.compare(store, kept(store, content), None) is None
    assert changes.compare(store, "0" * 64, None) is None
