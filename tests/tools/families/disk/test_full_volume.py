"""Freeing a full volume by archiving, and restoring onto it, over real SSH."""

from __future__ import annotations

import gzip
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from log_files import ID, lines

from guardia.errors import CommandFailed
from guardia.org.directory import Host

pytestmark = pytest.mark.ssh
Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def small(root: Path) -> Iterator[tuple[Path, Path]]:
    """Mount the logs and the archive on small volumes, or skip the test."""
    volumes = (root / "logs", root / "archive")
    mounted = []
    for path, size in zip(volumes, ("1m", "256k"), strict=True):
        path.mkdir(exist_ok=True)
        words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)]
        if subprocess.run(words, capture_output=True, check=False).returncode:
            for each in mounted:
                subprocess.run(["umount", each], check=True)
            pytest.skip("this machine lets nobody mount a small volume")
        mounted.append(str(path))
    yield volumes
    for each in mounted:
        subprocess.run(["umount", "-l", each], check=True)


def fill(path: Path, data: bytes) -> bytes:
    """Append `data` until the volume is full. Returns the whole content."""
    with path.open("ab", buffering=0) as file:
        try:
            while True:
                file.write(data)
        except OSError:
            pass
    assert shutil.disk_usage(path.parent).free == 0
    return path.read_bytes()


class TestFullVolume:
    @pytest.mark.slow
    def test_archiving_frees_it(self, ask: Ask, host: Host, small: tuple[Path, Path]) -> None:
        log = small[0] / "runaway.log"
        data = fill(log, lines(500))
        assert ask("disk.usage", host, service="minwon")["percent"] == 100
        (found,) = ask("disk.largest", host, service="minwon")["files"]
        ask("disk.archive", host, service="minwon", name=found["name"], id=found["id"])
        assert ask("disk.usage", host, service="minwon")["percent"] < 10
        copy = small[1] / f"runaway.log.{found['id']}.gz"
        assert gzip.decompress(copy.read_bytes()) == data

    def test_a_writer_that_goes_on_fills_the_volume_only_with_what_it_writes(
        self, ask: Ask, host: Host, small: tuple[Path, Path]
    ) -> None:
        """A writer at its own offset, as after `> file`, must not bring the old length back."""
        log = small[0] / "runaway.log"
        with log.open("wb", buffering=0) as file:
            file.write(lines(10_000))
            before = log.stat().st_blocks
            args = {"service": "minwon", "name": "runaway.log", "id": ID}
            ask("disk.archive", host, **args)
            file.write(b"more\n")
            looked = ask("disk.archived", host, **args)
            assert looked["archived"] and looked["original_bytes"] < looked["bytes"]
            assert log.stat().st_blocks * 10 < before

    def test_the_archived_log_goes_back_while_the_volume_keeps_a_reserve(
        self, ask: Ask, host: Host, small: tuple[Path, Path]
    ) -> None:
        log, data = small[0] / "runaway.log", lines(9000)
        log.write_bytes(data)
        ask("disk.archive", host, service="minwon", name="runaway.log", id=ID)
        ask("disk.restore", host, service="minwon", name="runaway.log", id=ID)
        assert log.read_bytes() == data

    @pytest.mark.slow
    def test_what_filled_the_volume_is_not_restored_to_it(
        self, ask: Ask, host: Host, small: tuple[Path, Path]
    ) -> None:
        data = fill(small[0] / "runaway.log", lines(500))
        args = {"service": "minwon", "name": "runaway.log", "id": ID}
        ask("disk.archive", host, **args)
        with pytest.raises(CommandFailed, match=r"no room for runaway\.log.*kept in"):
            ask("disk.restore", host, **args)
        assert ask("disk.usage", host, service="minwon")["percent"] < 10
        assert gzip.decompress((small[1] / f"runaway.log.{ID}.gz").read_bytes()) == data

    def test_an_archive_without_space_changes_nothing(
        self, ask: Ask, host: Host, small: tuple[Path, Path]
    ) -> None:
        log = small[0] / "noise.log"
        data = fill(log, random.Random(1).randbytes(65_536))  # does not compress
        with pytest.raises(CommandFailed, match="no room in the archive"):
            ask("disk.archive", host, service="minwon", name="noise.log", id=ID)
        assert log.read_bytes() == data
        assert list(small[1].iterdir()) == []

    def test_a_log_that_does_not_fit_is_not_restored(
        self, ask: Ask, host: Host, small: tuple[Path, Path]
    ) -> None:
        log = small[0] / "runaway.log"
        fill(log, lines(500))
        ask("disk.archive", host, service="minwon", name="runaway.log", id=ID)
        other = fill(small[0] / "other.log", lines(500))
        with pytest.raises(CommandFailed, match=r"no room for runaway\.log"):
            ask("disk.restore", host, service="minwon", name="runaway.log", id=ID)
        assert not log.read_bytes().strip(b"\0")
        assert (small[0] / "other.log").read_bytes() == other
