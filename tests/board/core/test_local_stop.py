"""Stop orders of one host: kept on the disk, also on a full one, and never lost by damage."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia.board.core.actors import Actor
from guardia.board.core.local_stop import DAMAGED, LocalStop, StopOrder

LEAD = Actor.person("lead")


@pytest.fixture
def local(tmp_path: Path) -> LocalStop:
    made = LocalStop(tmp_path)
    made.prepare()
    return made


def test_an_order_waits_until_it_is_settled(local: LocalStop) -> None:
    assert not local.is_pressed()
    order = StopOrder.of(LEAD, "연기가 납니다", room="운영", account="m-1")
    outcome = local.press(order)
    assert outcome.kept and not outcome.workers
    assert LocalStop(local.folder.parent).pending() == [order]
    assert order.actor == LEAD
    local.settle([order])
    assert not local.is_pressed()


def test_one_order_is_kept_once_and_many_do_not_fill_the_file(local: LocalStop) -> None:
    order = StopOrder.of(LEAD, "가" * 5000)
    for _ in range(3):
        local.press(order)
    assert local.pending() == [order]
    size = (local.folder / "orders").stat().st_size
    for _ in range(40):
        last = StopOrder.of(LEAD, "😀" * 5000, room="😀" * 5000, account="\udcff" * 5000)
        local.press(last)
    assert last in local.pending()
    assert (local.folder / "orders").stat().st_size == size


def test_files_are_private(local: LocalStop) -> None:
    local.press(StopOrder.of(LEAD))
    assert stat.S_IMODE(local.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((local.folder / "orders").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "damage", [b"{", b"[1]", b'[{"by": 1}]', b"\xff\xfe", b"[" * 100_000, b'{"a": 1}', b"\0" * 9]
)
def test_a_damaged_file_stops(local: LocalStop, damage: bytes) -> None:
    (local.folder / "orders").write_bytes(damage)
    assert local.pending() == [DAMAGED]
    local.settle(local.pending())
    assert not local.is_pressed()


@pytest.mark.slow
@given(st.text(), st.text(), st.text())
def test_any_text_survives(sender: str, reason: str, room: str) -> None:
    with TemporaryDirectory() as folder:
        local = LocalStop(Path(folder))
        order = StopOrder.of(Actor.channel("mattermost", sender), reason, room=room)
        assert local.press(order).kept
        assert local.pending() == [order]


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system without room."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts")
    import subprocess

    mounted = tmp_path / "disk"
    mounted.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(mounted)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("this machine mounts nothing")
    yield mounted
    subprocess.run(["umount", str(mounted)], check=True)


def test_an_order_needs_no_room_on_the_disk(full_disk: Path) -> None:
    local = LocalStop(full_disk)
    local.prepare()
    with pytest.raises(OSError, match="No space"), (full_disk / "filler").open("wb") as file:
        while True:
            file.write(b"x" * 4096)
            file.flush()
    order = StopOrder.of(LEAD, "디스크가 가득 찼습니다")
    assert local.press(order).kept
    assert local.pending() == [order]
    local.settle([order])
    assert not local.is_pressed()


@pytest.mark.slow
def test_writing_and_reading_at_once_never_looks_damaged(local: LocalStop) -> None:
    order, done = StopOrder.of(LEAD, "가" * 900), threading.Event()

    def press() -> None:
        for _ in range(60):
            local.press(order)
            local.settle([order])
        done.set()

    thread = threading.Thread(target=press)
    thread.start()
    while not done.is_set():
        assert local.pending() in ([], [order])
    thread.join()
