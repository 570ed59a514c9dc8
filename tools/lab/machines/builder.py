"""Build images once and keep them: no half-built one is ever visible, and only one is built at a time.

An image is a folder `NAME-KEY` in the cache; the key changes with its recipe. It is built in a
folder whose name begins with a dot and renamed when it is complete.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from guardia.errors import OperatorError, Refused
from guardia.i18n import t
from guardia.tools.lab.machines.apt_sources import AptSources, read_sources
from guardia.tools.lab.machines.cgroups import ControlGroup
from guardia.tools.lab.machines.recipes import BASE, Recipe, install_script

_NEEDED_BYTES = 3 << 30
"""Free space for a build: the image, the packages while they are unpacked, and a margin."""
_SETUP = "root/setup"


class ImageCache:
    """The folder of the images."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, recipe: Recipe) -> Path | None:
        """Return the image if it has been built."""
        image = self._path(recipe, read_sources())
        return image if image.is_dir() else None

    def obtain(self, recipe: Recipe) -> Path:
        """Return the image, built if it is missing; waits while another process builds it."""
        sources = read_sources()
        image = self._path(recipe, sources)
        if image.is_dir():
            return image
        with self._lock():
            if not image.is_dir():
                self._require_space()
                self._build(recipe, image, sources)
                self._remove_outdated(image)
        return image

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            for left in self.folder.glob(".building-*"):  # by a builder that was killed
                shutil.rmtree(left)
            yield

    def _require_space(self) -> None:
        free = shutil.disk_usage(self.folder).free
        if free < _NEEDED_BYTES:
            why = t("lab.machines.needs_space", folder=self.folder, free=free >> 20,
                    needed=_NEEDED_BYTES >> 20)  # fmt: skip
            raise Refused(why=why)

    def _path(self, recipe: Recipe, sources: AptSources) -> Path:
        return self.folder / f"{recipe.name}-{recipe.key(sources.main.suite)}"

    def _build(self, recipe: Recipe, image: Path, sources: AptSources) -> None:
        base = self._path(BASE, sources)
        if not base.is_dir():
            with _complete_or_nothing(base) as folder:
                _bootstrap(folder, sources)
        with _complete_or_nothing(image) as folder:
            _run(["cp", "--archive", "--reflink=auto", f"{base}/.", str(folder)], {})
            sources.write(folder)
            _install(recipe, folder, sources)
            sources.forget_credentials(folder)

    def _remove_outdated(self, image: Path) -> None:
        """Remove images of older recipes, except those that a machine uses now."""
        name = image.name.rpartition("-")[0]
        for old in self.folder.glob(f"{name}-*"):
            if old != image and (lock := lock_image(old, fcntl.LOCK_EX | fcntl.LOCK_NB)):
                shutil.rmtree(old)
                os.close(lock)


def lock_image(image: Path, how: int = fcntl.LOCK_SH) -> int | None:
    """Return a descriptor that keeps the image from being removed, or `None` if it is in use."""
    descriptor = os.open(image, os.O_RDONLY | os.O_CLOEXEC)
    with suppress(BlockingIOError):
        fcntl.flock(descriptor, how)
        return descriptor
    os.close(descriptor)
    return None


@contextmanager
def _complete_or_nothing(image: Path) -> Iterator[Path]:
    """Create a folder that gets the image's name only if the block succeeds."""
    folder = image.with_name(f".building-{image.name}")
    folder.mkdir(mode=0o755)
    try:
        yield folder
        os.sync()
        folder.rename(image)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _bootstrap(folder: Path, sources: AptSources) -> None:
    command = ["debootstrap", "--variant=minbase", f"--components={sources.main.component}"]
    # In a mount namespace of its own, so that nothing that it mounts is left if it is killed.
    private = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    target = [sources.main.suite, str(folder), sources.main.address]
    _run([*private, *command, *target], sources.environment())


def _install(recipe: Recipe, folder: Path, sources: AptSources) -> None:
    (folder / _SETUP).write_text(install_script() + recipe.script, "utf-8")
    environment = {**sources.environment(), "PACKAGES": " ".join(recipe.packages)}
    options = [f"--setenv={name}={value}" for name, value in environment.items()]
    group = ControlGroup(f"build-{os.getpid()}")
    group.create()
    try:
        _run(
            [
                "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--console=pipe",
                f"--directory={folder}", *options, "sh", f"/{_SETUP}",
            ],
            {},
            group,
        )  # fmt: skip
    finally:
        group.remove()
    (folder / _SETUP).unlink()


def _run(command: list[str], environment: dict[str, str], group: ControlGroup | None = None) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **environment, "LC_ALL": "C.UTF-8"},
        preexec_fn=group.enter if group else None,
        check=False,
    )
    if done.returncode != 0:
        tail = done.stdout.decode("utf-8", "replace").strip()[-600:]
        raise OperatorError(why=t("lab.machines.build_failed", command=command[0], why=tail))
