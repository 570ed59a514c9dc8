"""A static site whose folder is exchanged, and exchanged back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deploy_env import Deployer, archive

from guardia.errors import CommandFailed
from guardia.org.directory import Service

pytestmark = pytest.mark.ssh
Deploy = Callable[..., Deployer]
ONE, TWO = archive({"index.html": b"one"}), archive({"index.html": b"two", "a/b": b""})


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest() if content else ""


@pytest.fixture
def html(tmp_path: Path) -> Path:
    (tmp_path / "html").mkdir()
    (tmp_path / "html/index.html").write_bytes(b"by hand")
    return tmp_path / "html"


def plan(on: Deployer, content: bytes, previous: bytes = b"") -> Any:
    given = {"service": "site", "previous": digest(previous)}
    return on.plan("deploy.site", **given, **on.contents.add(content))


def service(html: Path) -> Service:
    return Service(name="site", kind="http", port=80, health="/", root=str(html), layout="static")


@pytest.mark.slow
def test_a_site_is_exchanged_and_back_again(deployer: Deploy, html: Path) -> None:
    on = deployer(service(html))
    first, second = plan(on, ONE), plan(on, TWO, ONE)
    assert on.holds(first.precheck) and not on.holds(second.precheck)
    on.run(first.call)
    on.run(second.call)
    on.run(second.call)  # again: nothing happens
    assert (html / "index.html").read_bytes() == b"two" and (html / "a/b").exists()
    found = on.ask("deploy.site_state", service="site")
    assert (found["sha256"], found["kept"]) == (digest(TWO), digest(ONE))
    on.run(second.undo)
    assert (html / "index.html").read_bytes() == b"one" and not (html / "a").exists()
    with pytest.raises(CommandFailed, match="gone"):
        on.run(first.undo)  # only the last one is kept
    assert (html / "index.html").read_bytes() == b"one"


def test_the_first_exchange_brings_back_what_was_made_by_hand(deployer: Deploy, html: Path) -> None:
    on = deployer(service(html))
    action = plan(on, ONE)
    on.run(action.call)
    on.run(action.undo)
    assert (html / "index.html").read_bytes() == b"by hand"
    assert [path.name for path in html.parent.iterdir()] == ["html"]


def test_a_bad_archive_leaves_the_site(deployer: Deploy, html: Path) -> None:
    on = deployer(service(html))
    for content in (archive({"../x": b"1"}), ONE[:40], b"no archive"):
        with pytest.raises(CommandFailed):
            on.run(plan(on, content).call)
    assert (html / "index.html").read_bytes() == b"by hand"
    assert [path.name for path in html.parent.iterdir()] == ["html"]
