"""Releases that are transferred and unpacked beside those that run, over real SSH and SFTP."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deploy_env import Deployer, archive, small_volume

from guardia.errors import CommandFailed
from guardia.org.directory import Service

pytestmark = pytest.mark.ssh
Deploy = Callable[..., Deployer]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "releases/1.0").mkdir(parents=True)
    (tmp_path / "current").symlink_to("releases/1.0")
    return tmp_path


def service(root: Path) -> Service:
    return Service(name="budget", kind="http", root=str(root), layout="releases")


def zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return packed.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("form", ["w:gz", "w", "zip"])
def test_a_release_is_staged_and_removed(deployer: Deploy, root: Path, form: str) -> None:
    if form == "zip" and not shutil.which("unzip"):
        pytest.skip("unzip is missing")
    on = deployer(service(root))
    files = {"app.py": b"new", "한글/설정.conf": b"x"}
    content = zipped(files) if form == "zip" else archive(files, form)
    action = on.plan("deploy.stage", service="budget", version="1.1", **on.contents.add(content))
    assert on.holds(action.precheck) and not on.holds(action.verify)
    on.run(action.call)
    assert on.holds(action.verify)
    assert (root / "releases/1.1/app.py").read_bytes() == b"new"
    assert (root / "releases/1.1/한글/설정.conf").exists()
    assert (root / "current").readlink() == Path("releases/1.0")
    on.run(action.call)  # again: nothing happens
    assert [path.name for path in sorted((root / "releases").iterdir())] == ["1.0", "1.1"]
    on.run(action.undo)
    assert on.holds(action.undo_verify)
    assert [path.name for path in (root / "releases").iterdir()] == ["1.0"]


@pytest.mark.parametrize("name", ["../../escaped", "/tmp/escaped-guardia", "a/../../../x"])
def test_an_archive_that_leaves_its_folder_is_refused(
    deployer: Deploy, root: Path, name: str
) -> None:
    on = deployer(service(root))
    given = on.contents.add(archive({"ok": b"1", name: b"2"}))
    with pytest.raises(CommandFailed, match="outside of it"):
        on.ask("deploy.stage", service="budget", version="1.1", **given)
    assert [path.name for path in (root / "releases").iterdir()] == ["1.0"]
    assert not (root / "escaped").exists() and not Path("/tmp/escaped-guardia").exists()


def test_a_damaged_archive_leaves_nothing(deployer: Deploy, root: Path) -> None:
    on = deployer(service(root))
    given = on.contents.add(archive({"a": os.urandom(5000)})[:900])
    with pytest.raises(CommandFailed):
        on.ask("deploy.stage", service="budget", version="1.1", **given)
    assert [path.name for path in (root / "releases").iterdir()] == ["1.0"]


def test_a_full_disk_leaves_what_is_there(deployer: Deploy, root: Path) -> None:
    with small_volume(root / "releases", "2m"):
        (root / "releases/1.0").mkdir()
        (root / "releases/1.0/app.py").write_bytes(b"old")
        on = deployer(service(root))
        given = on.contents.add(archive({"a": b"1", "big": bytes(4 << 20)}))
        with pytest.raises(CommandFailed, match="could not be unpacked"):
            on.ask("deploy.stage", service="budget", version="1.1", **given)
        assert [path.name for path in (root / "releases").iterdir()] == ["1.0"]
        assert (root / "current/app.py").read_bytes() == b"old"


def test_another_release_of_the_name_stays(deployer: Deploy, root: Path) -> None:
    on = deployer(service(root))
    given = on.contents.add(archive({"a": b"1"}))
    action = on.plan("deploy.stage", service="budget", version="1.0", **given)
    assert not on.holds(action.precheck)
    with pytest.raises(CommandFailed, match="another release"):
        on.run(action.call)
    with pytest.raises(CommandFailed, match="in use"):
        on.run(action.undo)
    (root / "current").unlink()
    with pytest.raises(CommandFailed, match="not staged by this step"):
        on.run(action.undo)
    assert (root / "releases/1.0").exists()


def test_what_a_server_has_is_said(deployer: Deploy, root: Path) -> None:
    on = deployer(service(root))
    found: dict[str, Any] = on.ask("deploy.staged", service="budget", version="1.0")
    assert found.pop("free_kb") > 0
    assert found == {"staged": True, "sha256": None, "writable": True, "current": "1.0"}
