"""Credentials are encrypted on disk, and key rotation survives a crash at any moment."""

from __future__ import annotations

import base64
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from guardia.errors import Invalid, Misconfigured
from guardia.org.credential_store import FileCredentialStore, with_stored_secrets
from guardia.org.master_key import KEY_CREDENTIAL, KEY_VARIABLE
from guardia.settings import Settings

SECRET = "-----BEGIN KEY-----\n비밀 hunter2\n-----END KEY-----\n"


@pytest.fixture(autouse=True)
def no_key_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "secrets"


def everything(folder: Path) -> bytes:
    return b"".join(p.read_bytes() for p in folder.parent.rglob("*") if p.is_file())


def test_a_stored_credential_can_be_read_and_is_never_in_clear_text(folder: Path) -> None:
    FileCredentialStore(folder).put("ssh", SECRET)
    assert FileCredentialStore(folder).get("ssh") == SECRET
    assert b"hunter2" not in everything(folder)
    for path in (folder / "ssh", folder.with_name("secrets.key")):
        assert path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_plain_file_is_encrypted_when_first_read(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    (folder / "ssh").write_text(SECRET)
    (folder / "ssh").chmod(0o600)
    for _ in range(2):
        assert FileCredentialStore(folder).get("ssh") == SECRET
    assert b"hunter2" not in everything(folder)


@pytest.mark.parametrize("name", ["secrets/ssh", "secrets.key"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_file_that_others_can_read_or_write_is_refused(
    folder: Path, name: str, mode: int
) -> None:
    FileCredentialStore(folder).put("ssh", SECRET)
    (folder.parent / name).chmod(mode)
    with pytest.raises(Misconfigured, match="chmod 600"):
        FileCredentialStore(folder).get("ssh")


def test_swapped_changed_or_foreign_files_are_refused(folder: Path, tmp_path: Path) -> None:
    keys = FileCredentialStore(folder)
    keys.put("ssh", SECRET)
    keys.put("other", "another")
    (folder / "other").write_bytes((folder / "ssh").read_bytes())
    with pytest.raises(Misconfigured):
        keys.get("other")
    content = bytearray((folder / "ssh").read_bytes())
    content[-3] ^= 1
    (folder / "ssh").write_bytes(content)
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
    monkeypatch.setenv(KEY_VARIABLE, key)
    FileCredentialStore(folder).put("ssh", SECRET)
    assert not folder.with_name("secrets.key").exists()
    monkeypatch.delenv(KEY_VARIABLE)
    (tmp_path / KEY_CREDENTIAL).write_text(key + "\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert FileCredentialStore(folder).get("ssh") == SECRET
    monkeypatch.setenv(KEY_VARIABLE, base64.b64encode(os.urandom(32)).decode())
    with pytest.raises(Misconfigured):
        FileCredentialStore(folder).get("ssh")
    monkeypatch.setenv(KEY_VARIABLE, "짧다")
    with pytest.raises(Misconfigured):
        FileCredentialStore(folder).get("ssh")


def test_processes_that_start_at_once_agree_on_one_key(folder: Path) -> None:
    def made(number: int) -> str:
        return FileCredentialStore(folder).get_or_create("seal", lambda: f"made {number}")

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(made, range(16)))) == 1
    assert not list(folder.glob(".new-*"))


NAMES = [f"secret-{n}" for n in range(5)]


def filled(folder: Path) -> None:
    for name in NAMES:
        FileCredentialStore(folder).put(name, f"{SECRET} {name}")


def whole(folder: Path) -> bool:
    return all(FileCredentialStore(folder).get(name) == f"{SECRET} {name}" for name in NAMES)


def test_a_new_master_key_opens_everything_and_the_old_one_nothing(
    folder: Path, tmp_path: Path
) -> None:
    filled(folder)
    (folder / "plain").write_text(SECRET)
    (folder / "plain").chmod(0o600)
    old = folder.with_name("secrets.key").read_text()
    before = {name: (folder / name).read_bytes() for name in NAMES}
    assert FileCredentialStore(folder).rotate() == len(NAMES)
    assert whole(folder)
    assert folder.with_name("secrets.key").read_text() != old
    assert not folder.with_name("secrets.key.next").exists()
    assert all((folder / name).read_bytes() != content for name, content in before.items())
    folder.with_name("secrets.key").write_text(old)
    with pytest.raises(Misconfigured):
        FileCredentialStore(folder).get(NAMES[0])
    assert FileCredentialStore(folder).get("plain") == SECRET


# The system calls by which a rotation changes names on disk.
CALLS = ("link", "replace", "unlink")


def killed_at(folder: Path, moment: int) -> bool:
    """Rotate in a process that is killed before its n-th change; return whether it survived."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    left = [moment]

    def dying(true: Any) -> Any:
        def called(*given: Any, **words: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return true(*given, **words)

        return called

    try:
        for name in CALLS:
            setattr(os, name, dying(getattr(os, name)))
        FileCredentialStore(folder).rotate()
    finally:
        os._exit(0 if left[0] >= 0 else 1)


@pytest.mark.slow
def test_a_rotation_killed_at_any_moment_loses_nothing_and_continues(tmp_path: Path) -> None:
    moment, survived = 0, False
    while not survived:
        folder = tmp_path / str(moment) / "secrets"
        folder.parent.mkdir()
        filled(folder)
        survived = killed_at(folder, moment)
        assert whole(folder), moment
        # A write in between is not lost either, under either key.
        FileCredentialStore(folder).put(NAMES[0], f"{SECRET} {NAMES[0]}")
        again = FileCredentialStore(folder)
        assert again.rotate() == len(NAMES) and whole(folder), moment
        assert not folder.with_name("secrets.key.next").exists()
        moment += 1
    assert moment > len(NAMES) + 3


def test_writes_during_a_rotation_use_the_right_key(folder: Path) -> None:
    filled(folder)
    over = threading.Event()

    def write() -> int:
        count = 0
        while not over.is_set():
            FileCredentialStore(folder).put("busy", f"{count}")
            assert FileCredentialStore(folder).get("busy") == f"{count}"
            count += 1
        return count

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        for _ in range(5):
            FileCredentialStore(folder).rotate()
        over.set()
        assert writing.result() > 0
    assert FileCredentialStore(folder).find("busy") and whole(folder)


@pytest.mark.parametrize("source", ["environment", "systemd"])
def test_a_master_key_from_outside_is_replaced_by_one_from_outside(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    old, new = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
    granted = tmp_path / "credentials"
    granted.mkdir()

    def give(variable: str, credential: str, key: str) -> None:
        if source == "systemd":
            (granted / credential).write_text(key + "\n")
            monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(granted))
        else:
            monkeypatch.setenv(variable, key)

    give(KEY_VARIABLE, KEY_CREDENTIAL, old)
    filled(folder)
    with pytest.raises(Invalid, match="GUARDIA_SECRETS_KEY_NEXT"):
        FileCredentialStore(folder).rotate()
    give(f"{KEY_VARIABLE}_NEXT", f"{KEY_CREDENTIAL}-next", new)
    assert whole(folder)
    assert FileCredentialStore(folder).rotate() == len(NAMES)
    # Until every process has been restarted, both keys are set; then only the new one.
    assert whole(folder)
    monkeypatch.delenv(f"{KEY_VARIABLE}_NEXT", raising=False)
    (granted / f"{KEY_CREDENTIAL}-next").unlink(missing_ok=True)
    give(KEY_VARIABLE, KEY_CREDENTIAL, new)
    assert whole(folder)
    give(KEY_VARIABLE, KEY_CREDENTIAL, old)
    with pytest.raises(Misconfigured):
        FileCredentialStore(folder).get(NAMES[0])
    assert not folder.with_name("secrets.key").exists()


def test_settings_take_secrets_without_a_variable_from_the_store(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = FileCredentialStore(folder)
    keys.put("messenger-token", "from the store")
    keys.put("alert-url", "http://store")
    monkeypatch.setenv("GUARDIA_ALERT_URL", "http://variable")
    found = with_stored_secrets(Settings(home=folder.parent), keys)
    assert found.messenger_token and found.messenger_token.get_secret_value() == "from the store"
    assert found.alert_url and found.alert_url.get_secret_value() == "http://variable"
    assert found.model_key is None
    assert (
        with_stored_secrets(
            Settings(home=folder.parent), FileCredentialStore(folder / "none")
        ).messenger_token
        is None
    )
