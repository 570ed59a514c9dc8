from __future__ import annotations

import base64
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from guardia.errors import Misconfigured
from guardia.org.keys import CREDENTIAL, VARIABLE, FileKeys

SECRET = "-----BEGIN KEY-----\n비밀 hunter2\n-----END KEY-----\n"


@pytest.fixture(autouse=True)
def no_key_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "secrets"


def everything(folder: Path) -> bytes:
    return b"".join(p.read_bytes() for p in folder.parent.rglob("*") if p.is_file())


def test_what_is_put_is_got_and_lies_nowhere_in_the_clear(folder: Path) -> None:
    FileKeys(folder).put("ssh", SECRET)
    assert FileKeys(folder).get("ssh") == SECRET
    assert b"hunter2" not in everything(folder)
    for path in (folder / "ssh", folder.with_name("secrets.key")):
        assert path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_plain_file_is_encrypted_by_its_first_reading(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    (folder / "ssh").write_text(SECRET)
    (folder / "ssh").chmod(0o600)
    for _ in range(2):
        assert FileKeys(folder).get("ssh") == SECRET
    assert b"hunter2" not in everything(folder)


@pytest.mark.parametrize("name", ["secrets/ssh", "secrets.key"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_what_others_can_read_or_write_is_refused(folder: Path, name: str, mode: int) -> None:
    FileKeys(folder).put("ssh", SECRET)
    (folder.parent / name).chmod(mode)
    with pytest.raises(Misconfigured, match="chmod 600"):
        FileKeys(folder).get("ssh")


def test_exchanged_changed_or_foreign_files_do_not_open(folder: Path, tmp_path: Path) -> None:
    keys = FileKeys(folder)
    keys.put("ssh", SECRET)
    keys.put("other", "another")
    (folder / "other").write_bytes((folder / "ssh").read_bytes())
    with pytest.raises(Misconfigured):
        keys.get("other")
    held = bytearray((folder / "ssh").read_bytes())
    held[-3] ^= 1
    (folder / "ssh").write_bytes(held)
    with pytest.raises(Misconfigured):
        keys.get("ssh")
    with pytest.raises(Misconfigured):
        keys.get("missing")
    with pytest.raises(Misconfigured):
        keys.get("../secrets.key")


def test_the_master_key_comes_from_the_environment_or_systemd(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = base64.b64encode(os.urandom(32)).decode()
    monkeypatch.setenv(VARIABLE, key)
    FileKeys(folder).put("ssh", SECRET)
    assert not folder.with_name("secrets.key").exists()
    monkeypatch.delenv(VARIABLE)
    (tmp_path / CREDENTIAL).write_text(key + "\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert FileKeys(folder).get("ssh") == SECRET
    monkeypatch.setenv(VARIABLE, base64.b64encode(os.urandom(32)).decode())
    with pytest.raises(Misconfigured):
        FileKeys(folder).get("ssh")
    monkeypatch.setenv(VARIABLE, "짧다")
    with pytest.raises(Misconfigured):
        FileKeys(folder).get("ssh")


def test_processes_that_start_at_once_agree_on_one_key(folder: Path) -> None:
    def made(number: int) -> str:
        return FileKeys(folder).obtain("seal", lambda: f"made {number}")

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(made, range(16)))) == 1
    assert not list(folder.glob(".new-*"))
