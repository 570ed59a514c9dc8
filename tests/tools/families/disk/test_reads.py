"""Usage of a volume and its largest files, over real SSH."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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


class TestLargest:
    def test_largest_files_come_first_and_growing_ones_are_marked(
        self, ask: Ask, host: Host, root: Path
    ) -> None:
        for number in range(25):
            (root / "logs" / f"app-{number:02}.log").write_bytes(b"x" * (number + 1) * 10)
        growing = root / "logs" / "growing.log"
        growing.write_bytes(b"x" * 5000)
        stop = threading.Event()

        def grow() -> None:
            while not stop.wait(0.05):
                with growing.open("ab") as log:
                    log.write(b"more\n")

        writer = threading.Thread(target=grow, daemon=True)
        writer.start()
        files = ask("disk.largest", host, service="minwon")["files"]
        stop.set()
        writer.join()
        assert len(files) == 20
        assert [f["name"] for f in files][:2] == ["growing.log", "app-24.log"]
        assert [f["name"] for f in files if f["growing"]] == ["growing.log"]
        assert files[1]["bytes"] == 250
        assert files[1]["path"] == str(root / "logs" / "app-24.log")

    def test_only_regular_files_with_valid_names_are_listed(
        self, ask: Ask, host: Host, root: Path
    ) -> None:
        logs = root / "logs"
        (logs / "app.log").write_bytes(b"x")
        for name in ("-rf", "a b", "a\nb 9 1.0 c", "$(id)", ".hidden", "한글"):
            (logs / name).write_bytes(b"xx")
        (logs / "link").symlink_to("/etc/passwd")
        (logs / "folder").mkdir()
        os.mkfifo(logs / "pipe")
        files = ask("disk.largest", host, service="minwon")["files"]
        assert [f["name"] for f in files] == ["app.log"]

    @pytest.mark.slow
    def test_an_id_identifies_one_state_of_a_file(self, ask: Ask, host: Host, root: Path) -> None:
        log = root / "logs" / "app.log"
        log.write_bytes(b"one")
        first, again = (ask("disk.largest", host, service="minwon")["files"] for _ in range(2))
        log.write_bytes(b"four")
        changed = ask("disk.largest", host, service="minwon")["files"]
        assert first[0]["id"] == again[0]["id"] != changed[0]["id"]
