"""Recipes of the images: which packages an image has, and the script that completes it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

_SCRIPTS = Path(__file__).resolve().with_name("images")


@dataclass(frozen=True)
class Recipe:
    """How to build one image: install `packages` inside, then run `script` inside."""

    name: str
    packages: tuple[str, ...]

    @property
    def script(self) -> str:
        """The shell script that completes the image."""
        return (_SCRIPTS / f"{self.name}.sh").read_text("utf-8") if self.packages else ""

    def key(self, suite: str) -> str:
        """Return what changes whenever the image would."""
        scripts = (install_script(), self.script) if self.packages else ()
        parts = (suite, *self.packages, *scripts)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


BASE = Recipe("base", ())
"""The smallest Debian, from which every other image is built."""

_COMMON = (
    "bash", "ca-certificates", "cron", "curl", "iproute2", "locales", "logrotate", "openssh-server",
    "openssl", "procps", "psmisc", "sudo", "tzdata",
)  # fmt: skip

_IMAGES = (
    Recipe(
        "systemd",
        (
            *_COMMON, "dbus", "systemd", "systemd-sysv",
            "mariadb-server", "nginx-light", "postgresql", "tomcat10",
        ),
    ),
)  # fmt: skip

RECIPES: Mapping[str, Recipe] = MappingProxyType({recipe.name: recipe for recipe in _IMAGES})
"""The recipes of all images by name."""


def install_script() -> str:
    """Return the script that installs packages in an image and then completes it."""
    return (_SCRIPTS / "install.sh").read_text("utf-8")
