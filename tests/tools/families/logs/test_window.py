"""Search and patterns over real log files: rotated, compressed, Korean encodings, windows."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from guardia.org.directory import Host, Service

pytestmark = pytest.mark.ssh
Ask = Callable[..., dict[str, Any]]


def stamp(minutes: float) -> str:
    """Return a time that many minutes ago, as many programs log it."""
    return (datetime.now(UTC) - timedelta(minutes=minutes)).strftime("%Y-%m-%d %H:%M:%S+00:00")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


@pytest.fixture
def host(sshd: Any, tmp_path: Path, log: Path) -> Host:
    services = (
        Service(name="app", kind="http", logs=str(tmp_path), encoding="cp949"),
        Service(name="files", kind="http", log_files=(str(log),), root=str(tmp_path)),
    )
    found: Host = sshd.host(*services)
    return found


def test_rotated_and_compressed_files_are_searched_in_order(
    ask: Ask, host: Host, log: Path
) -> None:
    log.write_text(f"{stamp(1)} ERROR now\n{stamp(0.5)} INFO fine\n")
    for suffix, pack, minutes in (
        (".1", bytes, 10),
        (".2.gz", gzip.compress, 20),
        (".3.xz", lzma.compress, 30),
        ("-20260101.bz2", bz2.compress, 40),
        (".4", bytes, 500),
    ):
        path = log.with_name(log.name + suffix)
        path.write_bytes(pack(f"{stamp(minutes)} ERROR {minutes}\n".encode()))
        os.utime(path, (time.time() - minutes * 60,) * 2)
    found = ask("logs.search", host, service="files", text="ERROR", minutes=60)
    assert [line["text"].split()[-1] for line in found["lines"]] == ["40", "30", "20", "10", "now"]
    assert (found["count"], found["unreadable"], found["cut"]) == (5, [], False)


def test_korean_words_in_the_encoding_of_the_log(ask: Ask, host: Host, log: Path) -> None:
    log.write_bytes(
        f"{stamp(1)} 접속 실패: 홍길동 900101-1234567\n{stamp(1)} 정상\n".encode("cp949")
    )
    found = ask("logs.search", host, service="app", name="app.log", text="접속 실패")
    assert [line["text"][26:] for line in found["lines"]] == ["접속 실패: 홍길동 900101-1******"]
    assert found["lines"][0]["level"] == "ERROR"


@pytest.mark.parametrize("text", ["$(id)", "a'b\"c", "-e x", "%d\\n", ".*"])
def test_a_word_is_no_pattern_and_no_option(ask: Ask, host: Host, log: Path, text: str) -> None:
    log.write_text(f"{stamp(1)} {text} end\n{stamp(1)} other\n")
    assert ask("logs.search", host, service="files", text=text)["count"] == 1


def test_a_window_in_the_past(ask: Ask, host: Host, log: Path) -> None:
    log.write_text("".join(f"{stamp(n)} ERROR {n}\n" for n in (300, 200, 100, 1)))
    until = (datetime.now(UTC) - timedelta(minutes=150)).strftime("%Y-%m-%dT%H:%M:%SZ")
    found = ask("logs.search", host, service="files", text="ERROR", minutes=100, until=until)
    assert [line["text"].split()[-1] for line in found["lines"]] == ["200"]


def test_a_missing_file_and_a_link_are_named(
    ask: Ask, host: Host, log: Path, tmp_path: Path
) -> None:
    found = ask("logs.search", host, service="files", text="ERROR")
    assert (found["count"], found["unreadable"]) == (0, [str(log)[:100]])
    (tmp_path / "link.log").symlink_to("/etc/passwd")
    found = ask("logs.search", host, service="app", name="link.log", text="root")
    assert (found["count"], found["unreadable"]) == (0, [str(tmp_path / "link.log")[:100]])


@pytest.mark.slow
def test_a_flood_is_bounded_and_its_cause_named(
    ask: Ask, host: Host, log: Path, tmp_path: Path
) -> None:
    """The newest lines are read, the template and the change just before its first line found."""
    (tmp_path / "releases").mkdir()
    (tmp_path / "current").symlink_to("releases")
    line = f"{stamp(0)} ERROR pool of 10.0.0.{{}} exhausted after {{}} ms\n"
    log.write_text(
        f"{stamp(50)} INFO start\n" + "".join(line.format(n % 9, n) for n in range(30_000))
    )
    found = ask("logs.patterns", host, service="files", minutes=60)
    assert found["flood"] and found["cut"] and 5_000 < found["errors"] < 30_000
    (template, *_) = found["templates"]
    assert template["template"] == "ERROR pool of <IP> exhausted after <NUM> ms"
    assert template["count"] == found["errors"] == found["burst"]["lines"]
    assert template["after"] == f"release {tmp_path}/current"[:100]
