"""Largest files of a log folder and what they are, over real SSH."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_until

from guardia.org.directory import Host

pytestmark = pytest.mark.ssh
Ask = Callable[..., dict[str, Any]]


@pytest.mark.slow
def test_largest_files_come_first_and_growing_ones_are_marked(
    ask: Ask, host: Host, root: Path
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
    assert files[1]["length"] == 250
    assert files[1]["path"] == str(root / "logs" / "app-24.log")


@pytest.mark.slow
def test_only_regular_files_are_listed_whatever_their_names(
    ask: Ask, host: Host, root: Path
) -> None:
    logs = root / "logs"
    (logs / "old").mkdir()
    named = {"app.log", "server log.out", ".cache", "예산집행.log", "$(id)", "old/big.log"}
    for name in named | {"-rf", "a\nb 9 1.0 c"}:
        (logs / name).write_bytes(b"text\n")
    (logs / os.fsdecode("예산.log".encode("euc-kr"))).write_bytes(b"text\n")
    (logs / "link").symlink_to("/etc/passwd")
    (logs / "linked").symlink_to("/etc")
    os.mkfifo(logs / "pipe")
    files = ask("disk.largest", host, service="minwon")["files"]
    assert {f["name"] for f in files if f["can_be_archived"]} == named
    others = {f["name"] for f in files if not f["can_be_archived"]}
    assert others == {"-rf", "a\\nb 9 1.0 c", r"\xbf\xb9\xbb\xea.log"}


@pytest.mark.slow
def test_a_log_folder_that_is_a_link(ask: Ask, host: Host, root: Path) -> None:
    (root / "logs").rename(root / "elsewhere")
    (root / "logs").symlink_to("elsewhere")
    (root / "logs" / "app.log").write_bytes(b"text\n")
    (found,) = ask("disk.largest", host, service="minwon")["files"]
    assert (found["name"], found["can_be_archived"]) == ("app.log", True)


@pytest.mark.slow
def test_a_file_counts_by_the_space_that_it_takes(ask: Ask, host: Host, root: Path) -> None:
    logs = root / "logs"
    with (logs / "sparse.log").open("wb") as file:
        file.seek(10_000_000)
        file.write(b"end\n")
    (logs / "dense.log").write_bytes(b"x" * 100_000)
    first, second = ask("disk.largest", host, service="minwon")["files"]
    assert (first["name"], second["name"]) == ("dense.log", "sparse.log")
    assert second["length"] > first["bytes"] > second["bytes"]


KINDS = [
    ("java_pid1.hprof", b"", "dump"),
    ("dump-without-a-name", b"JAVA PROFILE 1.0.2\0", "dump"),
    ("core.1234", b"\x7fELF", "dump"),
    ("javacore.20261130.txt", b"text", "dump"),
    ("ledger.dbf", b"text", "data"),
    ("backup.sql", b"-- text", "data"),
    ("unnamed", b"SQLite format 3\0", "data"),
    ("app.log.1.gz", b"", "packed"),
    ("app.log.2", b"\x1f\x8b\x08", "packed"),
    ("zeros", bytes(9000), "binary"),
    ("mixed.log", b"text\n" + bytes(100) + b"text\n", "binary"),
    ("app.log", b"text\n", "log"),
    ("한글.log", "심각: 연결 실패\n".encode("cp949"), "log"),
    ("archived-before.log", bytes(9000) + b"text\n" * 1000, "log"),
]


@pytest.mark.slow
def test_what_a_file_is_decides_whether_it_may_be_archived(
    ask: Ask, host: Host, root: Path
) -> None:
    for name, start, _ in KINDS:
        (root / "logs" / name).write_bytes(start or b"x")
    files = {f["name"]: f for f in ask("disk.largest", host, service="minwon")["files"]}
    assert {name: files[name]["kind"] for name, _, _ in KINDS} == {n: k for n, _, k in KINDS}
    assert all(f["can_be_archived"] is (f["kind"] == "log") for f in files.values())


@pytest.fixture
def writer(root: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program that has `app.log` open for writing."""
    words = ["bash", "-c", f"exec 4>>{root}/logs/app.log; echo text >&4; exec sleep 600"]
    with subprocess.Popen(words) as program:
        assert wait_until((root / "logs" / "app.log").exists)
        yield program
        program.kill()


@pytest.mark.slow
@pytest.mark.parametrize("own", [True, False])
def test_a_log_that_another_program_writes_is_none_of_the_services(
    ask: Ask, host: Host, root: Path, writer: subprocess.Popen[bytes], own: bool
) -> None:
    (root / "run").mkdir()
    with subprocess.Popen(["sleep", "600"]) as other:
        (root / "run" / "app.pid").write_text(str(writer.pid if own else other.pid))
        (found,) = ask("disk.largest", host, service="minwon")["files"]
        other.kill()
    # Of other accounts' programs only root sees which files they have open.
    assert (found["written_by_others"], found["can_be_archived"]) == (not own, own)


@pytest.mark.slow
def test_an_id_identifies_one_state_of_a_file(ask: Ask, host: Host, root: Path) -> None:
    log = root / "logs" / "app.log"
    log.write_bytes(b"one")
    first, again = (ask("disk.largest", host, service="minwon")["files"] for _ in range(2))
    log.write_bytes(b"four")
    changed = ask("disk.largest", host, service="minwon")["files"]
    assert first[0]["id"] == again[0]["id"] != changed[0]["id"]
