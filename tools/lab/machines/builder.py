"""Build images once and keep them: one at a time, and no half-built one is ever visible.

An image is a folder `NAME-KEY` in the cache; the key changes with its recipe. It is built in a
folder whose name begins with a dot and renamed when it is complete.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from guardia.errors import Refused
from guardia.i18n import t
from guardia.tools.lab.machines.apt_sources import AptSources, read_sources
from guardia.tools.lab.machines.build_steps import bootstrap, copy_tree, install
from guardia.tools.lab.machines.recipes import BASE, Recipe

_NEEDED_BYTES = 3 << 30
"""Free space for a build: the image, the packages while they are unpacked, and a margin."""


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
        with self.locked():
            if not image.is_dir():
                self._require_space()
                self._build(recipe, image, sources)
                self._remove_outdated(self._path(BASE, sources))
                self._remove_outdated(image)
        return image

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of builders, after removing what a killed one has left."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            for left in self.folder.glob(".building-*"):  # by a builder that was killed
                shutil.rmtree(left)
            for left in self.folder.glob(".#*.lck"):  # nspawn's locks of its folder
                left.unlink()
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
                bootstrap(folder, sources)
        with _complete_or_nothing(image) as folder:
            copy_tree(base, folder)
            sources.write(folder)
            install(recipe, folder, sources)
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
    folder.mkdir()
    folder.chmod(0o755)  # whatever the umask: it is the root folder of every account in there
    try:
        yield folder
        os.sync()
        folder.rename(image)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
