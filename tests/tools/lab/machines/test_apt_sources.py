"""Images use the package sources of this host, and keep none of its secrets."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from guardia.tools.lab.machines import apt_sources
from guardia.tools.lab.machines.apt_sources import AptSources, Repository

pytestmark = pytest.mark.skipif(not shutil.which("apt-get"), reason="needs apt")
SOURCES = AptSources(
    (
        Repository("http://mirror.example/debian", "bookworm-updates", "main"),
        Repository("http://mirror.example/debian", "bookworm", "main"),
    )
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("sources.list.d", "apt.conf.d"):
        (tmp_path / "etc/apt" / folder).mkdir(parents=True)
    (tmp_path / "etc/apt/sources.list").write_text("deb http://elsewhere.example x main\n")
    return tmp_path


def test_the_release_itself_is_the_main_repository() -> None:
    assert SOURCES.main.suite == "bookworm"


def test_written_into_an_image(root: Path) -> None:
    SOURCES.write(root)
    lines = (root / "etc/apt/sources.list.d/host.list").read_text().splitlines()
    assert lines[1] == "deb http://mirror.example/debian bookworm main"
    assert not (root / "etc/apt/sources.list").exists()


def test_credentials_and_proxies_do_not_stay(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    SOURCES.write(root)
    secret = root / "etc/apt/auth.conf.d"
    secret.mkdir(exist_ok=True)
    (secret / "mirror.conf").write_text("machine mirror.example password hidden\n")
    assert (root / "etc/apt/apt.conf.d/90host").exists()
    SOURCES.forget_credentials(root)
    assert not secret.exists()
    assert not (root / "etc/apt/apt.conf.d/90host").exists()


def test_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    assert SOURCES.environment()["http_proxy"] == "http://proxy.example:3128"


def test_the_hosts_own_sources_are_of_its_distribution() -> None:
    found = apt_sources.read_sources()
    assert found.main.component == "main"
    assert all(one.suite.startswith(found.main.suite) for one in found.repositories)
