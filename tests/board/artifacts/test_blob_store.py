"""The store of contents: once each, private, bounded, and nothing left of a failed upload."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from guardia.board.artifacts import blob_store
from guardia.board.artifacts.blob_store import BlobStore
from guardia.errors import Invalid, NotFound, Refused, StoreFull


def store(folder: Path, file_bytes: int = 1 << 40) -> BlobStore:
    return BlobStore(folder / "store", file_bytes=file_bytes, total_bytes=1 << 40)


def kept(found: BlobStore, content: bytes) -> str:
    with found.receive(len(content)) as incoming:
        incoming.write(content)
        incoming.seal()
        found.keep(incoming)
        return incoming.sha256


def files(found: BlobStore) -> list[Path]:
    return sorted(path for path in found.folder.rglob("*") if path.is_file())


def test_a_content_is_kept_once_under_its_digest(tmp_path: Path) -> None:
    found = store(tmp_path)
    assert kept(found, b"war") == kept(found, b"war") == hashlib.sha256(b"war").hexdigest()
    (path,) = files(found)
    assert path.read_bytes() == b"war" and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(found.folder.stat().st_mode) == 0o700
    with found.open(path.name) as file:
        assert file.read() == b"war"
    assert list(found.digests()) == [path.name]


def test_a_damaged_file_of_the_same_name_is_replaced(tmp_path: Path) -> None:
    found = store(tmp_path)
    path = found.path(kept(found, b"whole"))
    path.write_bytes(b"wh")
    kept(found, b"whole")
    assert path.read_bytes() == b"whole"


def test_an_upload_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    found = store(tmp_path)
    with pytest.raises(RuntimeError), found.receive() as incoming:
        incoming.write(b"half")
        raise RuntimeError
    assert files(found) == []


def test_only_what_an_ended_process_left_is_removed(tmp_path: Path) -> None:
    found = store(tmp_path)
    program = (
        "import os, sys; from pathlib import Path\n"
        "from guardia.board.artifacts.blob_store import BlobStore\n"
        "store = BlobStore(Path(sys.argv[1]), file_bytes=9, total_bytes=9)\n"
        "store.receive().write(b'half'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, found.folder], check=False)
    assert len(files(found)) == 1
    with found.receive() as running:
        assert found.remove_unfinished() == 1
        assert files(found) == [running.path]


def test_a_file_above_the_limit_is_refused_before_and_while_it_arrives(tmp_path: Path) -> None:
    found = store(tmp_path, file_bytes=2 << 20)
    with pytest.raises(Invalid, match="2MB"):
        found.receive(3 << 20)
    with pytest.raises(Invalid, match="2MB"), found.receive() as incoming:
        incoming.write(bytes(3 << 20))
    assert files(found) == []


def test_a_disk_without_room_refuses_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blob_store, "_RESERVE", 1 << 60)
    with pytest.raises(StoreFull, match="공간"):
        store(tmp_path).receive(1)


def test_a_disk_that_fills_up_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    found = store(tmp_path)
    with pytest.raises(StoreFull), found.receive() as incoming:
        # It answers every write like a full disk.
        os.dup2(os.open("/dev/full", os.O_WRONLY), incoming._file.fileno())
        incoming.write(b"x")
        incoming.seal()
    assert files(found) == []


def test_a_content_that_is_not_here_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="GUARDIA_ARTIFACTS"):
        store(tmp_path).open("0" * 64)
    with pytest.raises(NotFound):
        store(tmp_path).open("../../etc/passwd")
