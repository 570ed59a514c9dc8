"""Images use the package sources of this host, and keep none of its secrets."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from guardia.tools.lab.machines import apt_sources
from guardia.tools.lab.machines.apt_sources import AptSources, Repository

pytestmark = pytest.mark.skipif(not shutil.which("apt-get"), reason="needs apt")
MIRROR = "http://mirror.example/debian"


@pytest.fixture
def sources(tmp_path: Path) -> AptSources:
    """Return sources as a site's own mirror would have them."""
    file = tmp_path / "site.sources"
    file.write_text(f"Types: deb\nURIs: {MIRROR}\nSuites: bookworm bookworm-updates\n")
    suites = ("bookworm-updates", "bookworm")
    return AptSources(tuple(Repository(MIRROR, suite, "main", file) for suite in suites))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "image"
    for name in ("sources.list.d", "apt.conf.d"):
        (folder / "etc/apt" / name).mkdir(parents=True)
    (folder / "etc/apt/sources.list").write_text("deb http://elsewhere.example x main\n")
    (folder / sources_place(tmp_path)).parent.mkdir(parents=True)
    return folder


def sources_place(tmp_path: Path) -> str:
    return str(tmp_path / "site.sources").lstrip("/")


def test_the_release_itself_is_the_main_repository(sources: AptSources) -> None:
    assert sources.main.suite == "bookworm"


def test_an_image_gets_the_file_that_names_them(
    sources: AptSources, root: Path, tmp_path: Path
) -> None:
    sources.write(root)
    assert MIRROR in (root / sources_place(tmp_path)).read_text()
    assert not (root / "etc/apt/sources.list").exists()


def test_only_a_mirror_that_the_host_trusts_unsigned_is_unsigned(sources: AptSources) -> None:
    assert not sources.is_unsigned
    sources.main.file.write_text(f"deb [arch=amd64 trusted=yes] {MIRROR} bookworm main\n")
    assert sources.is_unsigned
    sources.main.file.write_text(f"URIs: {MIRROR}\nTrusted: yes\n")
    assert sources.is_unsigned


def test_credentials_and_proxies_do_not_stay(sources: AptSources, root: Path) -> None:
    sources.write(root)
    secret = root / "etc/apt/auth.conf.d"
    secret.mkdir(exist_ok=True)
    (secret / "mirror.conf").write_text("machine mirror.example password hidden\n")
    assert (root / "etc/apt/apt.conf.d/90host").exists()
    sources.forget_credentials(root)
    assert not secret.exists()
    assert not (root / "etc/apt/apt.conf.d/90host").exists()


def test_proxy_of_the_environment(sources: AptSources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    assert sources.environment()["http_proxy"] == "http://proxy.example:3128"


@pytest.mark.slow
def test_the_hosts_own_sources_are_of_its_distribution(tmp_path: Path) -> None:
    found = apt_sources.read_sources()
    assert found.main.component == "main"
    assert all(one.suite.startswith(found.main.suite) for one in found.repositories)
    assert all(file.is_file() for file in found.files)
    found.write_keyring(tmp_path / "keys.gpg")
    assert (tmp_path / "keys.gpg").stat().st_size
