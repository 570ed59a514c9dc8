"""Usage of a volume and why it takes no more data, over real SSH."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_until

from guardia.org.directory import Host

pytestmark = pytest.mark.ssh
Ask = Callable[..., dict[str, Any]]


def test_usage_is_of_the_volume_of_the_logs(ask: Ask, host: Host, root: Path) -> None:
    found = ask("disk.usage", host, service="minwon")
    stat = os.statvfs(root / "logs")
    assert found["path"] == str(root / "logs")
    assert found["size_kb"] == stat.f_blocks * stat.f_frsize // 1024
    assert 0 <= found["percent"] <= 100
    assert found["used_kb"] + found["available_kb"] <= found["size_kb"]


@pytest.fixture
def mount(root: Path) -> Iterator[Callable[[str], Path]]:
    """Return a function that mounts a small volume with the given options on the logs."""
    logs, mounted = root / "logs", []

    def call(options: str) -> Path:
        words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(logs)]
        if subprocess.run(words, capture_output=True, check=False).returncode:
            pytest.skip("this machine mounts no small volume")
        mounted.append(logs)
        return logs

    yield call
    for path in mounted:
        subprocess.run(["umount", "-l", str(path)], check=True)


def test_a_volume_without_inodes(ask: Ask, host: Host, mount: Callable[[str], Path]) -> None:
    logs = mount("size=1m,nr_inodes=20")
    for number in range(19):
        (logs / f"f{number}").touch()
    found = ask("disk.usage", host, service="minwon")
    assert (found["cause"], found["inodes_percent"]) == ("inodes", 100)
    assert found["percent"] < 10


def test_a_read_only_mount(ask: Ask, host: Host, mount: Callable[[str], Path]) -> None:
    mount("size=1m,ro")
    found = ask("disk.usage", host, service="minwon")
    assert (found["cause"], found["read_only"]) == ("read_only", True)


def test_deleted_files_that_are_still_open(
    ask: Ask, host: Host, mount: Callable[[str], Path]
) -> None:
    logs = mount("size=1m")
    words = ["bash", "-c", f"exec 4>{logs}/a; head -c 950000 /dev/zero >&4; rm {logs}/a; sleep 600"]
    with subprocess.Popen(words) as program:
        assert wait_until(lambda: ask("disk.usage", host, service="minwon")["deleted"] != [])
        found = ask("disk.usage", host, service="minwon")
        program.kill()
    assert found["cause"] == "deleted" and found["percent"] > 90
    assert found["deleted_kb"] >= 900
    assert "bash -c" in found["deleted"][0]["command"] or found["deleted"][0]["pid"]


def test_a_link_and_a_missing_folder(ask: Ask, host: Host, root: Path) -> None:
    (root / "logs").rmdir()
    (root / "logs").symlink_to("/dev/shm")
    assert ask("disk.usage", host, service="minwon")["size_kb"] == (
        os.statvfs("/dev/shm").f_blocks * os.statvfs("/dev/shm").f_frsize // 1024
    )
