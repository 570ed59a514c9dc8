"""What this host lacks to run machines, in one sentence for the person who asked for them."""

from __future__ import annotations

import os
import shutil
import sys

from guardia.errors import Refused
from guardia.i18n import t
from guardia.tools.lab.machines import cgroups

PROGRAMS = {
    "systemd-nspawn": "systemd-container",
    "debootstrap": "debootstrap",
    "nsenter": "util-linux",
    "ssh": "openssh-client",
    "unshare": "util-linux",
    "apt-get": "apt",
}
"""Each program that is run on the host, with the Debian package that contains it."""


def missing() -> str | None:
    """Return what is missing and what to do, or `None` if machines can run here."""
    if sys.platform != "linux":
        return t("lab.machines.needs_linux")
    if os.geteuid() != 0:
        return t("lab.machines.needs_root")
    packages = sorted({package for name, package in PROGRAMS.items() if not shutil.which(name)})
    if packages:
        return t("lab.machines.needs_packages", packages=" ".join(packages))
    if not any(os.access(mount, os.W_OK) for mount in cgroups.hierarchies()):
        return t("lab.machines.needs_cgroups")
    return None


def require() -> None:
    """Raise `Refused` with what is missing on this host."""
    if (why := missing()) is not None:
        raise Refused(why=why)
