"""The programs that make an image. Each ends with this process, and leaves no mount."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

from guardia.db import die_with_parent
from guardia.errors import Misconfigured
from guardia.i18n import t
from guardia.tools.lab.machines.apt_sources import AptSources
from guardia.tools.lab.machines.cgroups import ControlGroup
from guardia.tools.lab.machines.recipes import Recipe

NSPAWN_FILES = Path("/run/systemd/nspawn")
"""Where nspawn keeps files of its own on the host; we cover it with a private file system."""
_SETUP = "root/setup"
_PRIVATE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_COVERED = f'mount -t tmpfs tmpfs {NSPAWN_FILES} && exec "$@"'


def bootstrap(folder: Path, sources: AptSources) -> None:
    """Unpack the smallest system of the host's own distribution."""
    main = sources.main
    command = ["debootstrap", "--variant=minbase", f"--components={main.component}"]
    target = [main.suite, str(folder), main.address]
    keyring = folder / ".keyring.gpg"  # in there, so that it vanishes with what a kill leaves
    sources.write_keyring(keyring)
    trust = "--no-check-gpg" if sources.is_unsigned else f"--keyring={keyring}"
    _run([*_PRIVATE, *command, trust, *target], sources.environment())
    keyring.unlink()


def copy_tree(source: Path, target: Path) -> None:
    """Copy a system with its owners and modes."""
    _run(["cp", "--archive", "--reflink=auto", f"{source}/.", str(target)], {})


def install(recipe: Recipe, folder: Path, sources: AptSources) -> None:
    """Run the recipe's script inside a container, because packages expect a running system."""
    (folder / _SETUP).write_text(recipe.script, "utf-8")
    environment = {**sources.environment(), "PACKAGES": " ".join(recipe.packages)}
    options = [f"--setenv={name}={value}" for name, value in environment.items()]
    program = [
        "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--console=pipe",
        f"--directory={folder}", *options, "sh", f"/{_SETUP}",
    ]  # fmt: skip
    NSPAWN_FILES.mkdir(parents=True, exist_ok=True)
    group = ControlGroup(f"build-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]}")
    group.remove()  # of a builder that was killed
    group.create()
    try:
        _run(group.command([*_PRIVATE, "sh", "-c", _COVERED, "sh", *program]), {})
    finally:
        group.remove()
    (folder / _SETUP).unlink()


def _run(command: list[str], environment: dict[str, str]) -> None:
    absolute = [shutil.which(command[0]) or command[0], *command[1:]]
    done = subprocess.run(
        die_with_parent.command(absolute, signal.SIGKILL, None),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **environment, "LC_ALL": "C.UTF-8"},
        check=False,
        umask=0o022,
    )
    if done.returncode != 0:
        tail = done.stdout.decode("utf-8", "replace").strip()[-600:]
        why = t("lab.machines.build_failed", command=_name(command), why=tail)
        raise Misconfigured(what=t("lab.machines.fleet"), why=why)


def _name(command: list[str]) -> str:
    return next(word for word in command if word in {"debootstrap", "systemd-nspawn", "cp"})
