"""Recipes of the images: which packages an image has, and the script that completes it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

_SCRIPTS = Path(__file__).resolve().with_name("images")
_METHOD = "2"
"""Another one replaces the images that were built in another way."""


@dataclass(frozen=True)
class Recipe:
    """How to build one image: install `packages` inside, then run `script` inside."""

    name: str
    packages: tuple[str, ...]

    @cached_property
    def script(self) -> str:
        """The shell script that is run inside; empty for the base."""
        names = ("install", self.name, "clean") if self.packages else ()
        return "".join((_SCRIPTS / f"{name}.sh").read_text("utf-8") for name in names)

    def key(self, suite: str) -> str:
        """Return what changes whenever the image would."""
        text = "\0".join((_METHOD, suite, *self.packages, self.script))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


BASE = Recipe("base", ())
"""The smallest Debian, from which every other image is built."""

_COMMON = (
    "bash", "ca-certificates", "cron", "curl", "iproute2", "locales", "logrotate", "openssh-server",
    "openssl", "procps", "psmisc", "sudo", "tzdata",
)  # fmt: skip

_IMAGES = (
    Recipe(
        "sysvinit",
        (
            *_COMMON, "sysvinit-core", "orphan-sysvinit-scripts", "rsyslog",
            "apache2", "postgresql", "tomcat10-common", "default-jre-headless",
        ),
    ),
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
