"""WARs that are replaced as a whole and restored; the account of these tests may write there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deploy_env import Deployer, small_volume

from guardia.errors import CommandFailed
from guardia.org.directory import Facts, Host, Service
from guardia.tools import catalog

pytestmark = pytest.mark.ssh
Deploy = Callable[..., Deployer]
ONE, TWO = b"first war", b"second war"


@pytest.fixture
def webapps(tmp_path: Path) -> Path:
    (tmp_path / "webapps").mkdir()
    return tmp_path / "webapps"


def service(webapps: Path) -> Service:
    return Service(
        name="portal",
        kind="http",
        port=8080,
        health="/",
        root=str(webapps.parent),
        layout="webapps",
    )


def deploy(on: Deployer, content: bytes, previous: bytes = b"") -> Any:
    replaced = hashlib.sha256(previous).hexdigest() if previous else ""
    given = {"service": "portal", "file": "portal.war", "previous": replaced}
    return on.plan("deploy.war", **given, **on.contents.add(content))


def unpack(webapps: Path) -> None:
    """Note what Tomcat notes when it has deployed the file."""
    track = webapps / "portal/META-INF/war-tracker"
    track.parent.mkdir(parents=True, exist_ok=True)
    track.touch()
    when = (webapps / "portal.war").stat().st_mtime
    os.utime(track, (when, when))


def is_deployed(on: Deployer) -> bool:
    found = on.ask("deploy.war_state", service="portal", file="portal.war")["deployed"]
    assert found is not None
    return bool(found)


@pytest.mark.slow
def test_a_war_is_replaced_and_restored(deployer: Deploy, webapps: Path) -> None:
    on = deployer(service(webapps))
    first, second = deploy(on, ONE), deploy(on, TWO, ONE)
    assert on.holds(first.precheck) and not on.holds(second.precheck)
    on.run(first.call)
    assert (webapps / "portal.war").read_bytes() == ONE
    assert not is_deployed(on)
    unpack(webapps)
    found = on.ask("deploy.war_state", service="portal", file="portal.war")
    assert found["deployed"] is True and found["sha256"] == hashlib.sha256(ONE).hexdigest()
    on.run(second.call)
    on.run(second.call)  # again: nothing happens
    assert (webapps / "portal.war").read_bytes() == TWO
    assert not is_deployed(on)  # however fast it followed: Tomcat has unpacked the first
    unpack(webapps)
    on.run(second.undo)
    assert (webapps / "portal.war").read_bytes() == ONE
    assert not is_deployed(on)
    on.run(first.undo)
    assert [path.name for path in webapps.iterdir()] == ["portal"]


@pytest.mark.slow
def test_only_the_planned_one_is_replaced(deployer: Deploy, webapps: Path) -> None:
    on = deployer(service(webapps))
    (webapps / "portal.war").write_bytes(b"by hand")
    action = deploy(on, TWO, ONE)
    assert not on.holds(action.precheck)
    with pytest.raises(CommandFailed, match="not the one"):
        on.run(action.call)
    with pytest.raises(CommandFailed, match="changed since"):
        on.run(action.undo)
    assert (webapps / "portal.war").read_bytes() == b"by hand"


@pytest.mark.slow
def test_a_full_disk_leaves_the_old_file(deployer: Deploy, webapps: Path) -> None:
    with small_volume(webapps, "1m"):
        on = deployer(service(webapps))
        old = os.urandom(600_000)
        (webapps / "portal.war").write_bytes(old)
        action = deploy(on, os.urandom(600_000), old)
        assert not on.holds(action.precheck)  # it lacks the space
        with pytest.raises(CommandFailed, match="No space"):
            on.run(action.call)
        assert (webapps / "portal.war").read_bytes() == old
        assert [path.name for path in webapps.iterdir()] == ["portal.war"]


@pytest.mark.slow
def test_without_the_old_one_nothing_is_restored(deployer: Deploy, webapps: Path) -> None:
    on = deployer(service(webapps))
    (webapps / "portal.war").write_bytes(ONE)
    action = deploy(on, TWO, ONE)
    on.run(action.call)
    (webapps / ".portal.war.guardia-old").write_bytes(b"damaged")
    with pytest.raises(CommandFailed, match="gone"):
        on.run(action.undo)
    assert (webapps / "portal.war").read_bytes() == TWO


def test_its_rights_are_exact(webapps: Path) -> None:
    host = Host(
        server_id="W",
        institution="T",
        kind="WAS",
        account="ops",
        facts=Facts(programs=("/bin/mv",)),
    )
    rights = catalog.find("deploy.war").rights(host, service(webapps))
    assert (
        "/bin/mv",
        "-f",
        "--",
        f"{webapps}/.portal.war.guardia-new",
        f"{webapps}/portal.war",
    ) in (rights)
    assert all(right[0].startswith("/") and "*" not in " ".join(right) for right in rights)
    assert catalog.find("deploy.war").rights(host, Service(name="x", kind="http")) == ()
