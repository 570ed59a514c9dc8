"""The host's own package sources, for the images: same mirror, keys, proxy and credentials."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from guardia.errors import Refused
from guardia.i18n import t

_FIELDS = ("CREATED_BY", "REPO_URI", "RELEASE", "COMPONENT", "ORIGIN", "SOURCESENTRY")
_DISTRIBUTIONS = {"Debian", "Ubuntu"}
_COMPONENTS = {"main", "universe"}
_APT = Path("/etc/apt")
_KEYRINGS = Path("/usr/share/keyrings")
_KEYS = (_APT / "trusted.gpg", _APT / "trusted.gpg.d", _APT / "keyrings", _KEYRINGS)
_CREDENTIALS = (_APT / "auth.conf", _APT / "auth.conf.d")
_AUTHORITIES = Path("/usr/local/share/ca-certificates")


@dataclass(frozen=True)
class Repository:
    """One suite and component of the distribution."""

    address: str
    suite: str
    component: str
    file: Path
    """Where apt's configuration names it."""


@dataclass(frozen=True)
class AptSources:
    """Repositories of the host's own distribution, and how apt reaches them."""

    repositories: tuple[Repository, ...]

    @cached_property
    def main(self) -> Repository:
        """The repository of the release itself, with the shortest suite name."""
        return min(self.repositories, key=lambda one: len(one.suite))

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that name them; others, of third parties, no image needs."""
        return tuple(dict.fromkeys(one.file for one in self.repositories))

    @property
    def is_unsigned(self) -> bool:
        """Whether the host trusts the release without a signature, as some inner mirrors need."""
        text = self.main.file.read_text("utf-8")
        return re.search(r"trusted\s*[=:]\s*yes", text, re.IGNORECASE) is not None

    def write_keyring(self, path: Path) -> None:
        """Write all keys that the host's apt trusts into one file."""
        found = [key for place in _KEYS for key in (place, *sorted(place.glob("*.gpg")))]
        path.write_bytes(b"".join(key.read_bytes() for key in found if key.is_file()))

    def environment(self) -> dict[str, str]:
        """Return the proxy variables for programs that do not read apt's settings."""
        names = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy")
        found = {name: os.environ[name] for name in names if name in os.environ}
        for name in names[:2]:
            if proxy := _setting(f"Acquire::{name.removesuffix('_proxy')}::Proxy"):
                found.setdefault(name, "" if proxy == "DIRECT" else proxy)
        return {name: value for name, value in found.items() if value}

    def write(self, root: Path) -> None:
        """Let the image in `root` use these sources."""
        apt = root / "etc/apt"
        (apt / "sources.list").unlink(missing_ok=True)
        (apt / "apt.conf.d/90host").write_text(_acquire_settings(), "utf-8")
        for source in (*self.files, *_KEYS, *_CREDENTIALS, _AUTHORITIES):
            _copy(source, root)

    def forget_credentials(self, root: Path) -> None:
        """Remove what only the build needed and no machine may show: passwords and proxies."""
        for path in (*_CREDENTIALS, _APT / "apt.conf.d/90host"):
            copy = root / path.relative_to("/")
            shutil.rmtree(copy) if copy.is_dir() else copy.unlink(missing_ok=True)


def read_sources() -> AptSources:
    """Read the sources of the host. Raises `Refused` if none belongs to Debian or Ubuntu."""
    found = _targets()
    if not found:  # the package lists may have been removed, as in small container images
        with tempfile.TemporaryDirectory(prefix="guardia-apt-") as folder:
            options = ("-o", f"Dir::State::lists={folder}")
            _apt_get(*options, "update", "-qq")
            found = _targets(*options)
    if not found:
        raise Refused(why=t("lab.machines.needs_sources"))
    return AptSources(tuple(dict.fromkeys(found)))


def _targets(*options: str) -> list[Repository]:
    template = "\t".join(f"$({name})" for name in _FIELDS)
    text = _apt_get(*options, "indextargets", "--format", template)
    rows = [dict(zip(_FIELDS, line.split("\t"), strict=True)) for line in text.splitlines()]
    return [
        Repository(row["REPO_URI"], row["RELEASE"], row["COMPONENT"], _file(row["SOURCESENTRY"]))
        for row in rows
        if row["CREATED_BY"] == "Packages"
        and row["ORIGIN"] in _DISTRIBUTIONS
        and row["COMPONENT"] in _COMPONENTS
        and "backports" not in row["RELEASE"]
    ]


def _file(entry: str) -> Path:
    return Path(entry.rpartition(":")[0])


def _apt_get(*arguments: str) -> str:
    done = subprocess.run(["apt-get", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Refused(why=t("lab.machines.apt_failed", why=done.stderr.strip()[-300:]))
    return done.stdout


def _setting(name: str) -> str:
    done = subprocess.run(
        ["apt-config", "dump", "--format", "%v%n", name], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def _acquire_settings() -> str:
    """Return the host's settings for downloads, without its lists of indexes."""
    done = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True)
    skipped = ("Acquire::IndexTargets", "Acquire::Changelogs")
    lines = [line for line in done.stdout.splitlines() if line.startswith("Acquire::")]
    return "".join(f"{line}\n" for line in lines if not line.startswith(skipped))


def _copy(source: Path, root: Path) -> None:
    target = root / source.relative_to("/")
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    elif source.exists():
        shutil.copy2(source, target)
