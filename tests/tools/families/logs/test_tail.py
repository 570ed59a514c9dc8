"""Last lines of real files, over real SSH."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guardia.errors import CommandFailed
from guardia.org.directory import Host, Service

pytestmark = pytest.mark.ssh
Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def host(sshd: Any, tmp_path: Path) -> Host:
    found: Host = sshd.host(Service(name="auth", kind="authlog", logs=str(tmp_path)))
    return found


def test_last_lines(ask: Ask, host: Host, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text("\n".join(f"줄 {n}" for n in range(1000)) + "\n")
    found = ask("logs.tail", host, service="auth", name="app.log", lines=3)
    assert found == {"lines": ["줄 997", "줄 998", "줄 999"]}


def test_long_lines_are_truncated(ask: Ask, host: Host, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(b"x" * 3_000_000 + b"\nlast password=hunter2\x1b[2J\n")
    found = ask("logs.tail", host, service="auth", name="app.log", lines=500)
    assert [len(line) for line in found["lines"]] == [500, len("last password=***")]
    assert found["lines"][1] == "last password=***"


@pytest.mark.parametrize("encoding", ["cp949", "utf-8"])
@pytest.mark.parametrize("shift", range(3))
def test_korean_logs_in_either_encoding(
    ask: Ask, host: Host, tmp_path: Path, encoding: str, shift: int
) -> None:
    line = "심각: 데이터베이스 연결 실패"
    text = "x" * shift + "가" * 200_000 + f" 끝\n{line}\n"
    (tmp_path / "예산 집행.log").write_bytes(text.encode(encoding))
    found = ask("logs.tail", host, service="auth", name="예산 집행.log", lines=5)
    assert found["lines"] == [" 끝", line]


def test_the_hole_of_an_archived_beginning_is_left_out(
    ask: Ask, host: Host, tmp_path: Path
) -> None:
    (tmp_path / "app.log").write_bytes(bytes(9000) + b"later\n")
    assert ask("logs.tail", host, service="auth", name="app.log")["lines"] == ["later"]


def test_a_link_is_not_followed(ask: Ask, host: Host, tmp_path: Path) -> None:
    (tmp_path / "app.log").symlink_to("/etc/passwd")
    with pytest.raises(CommandFailed, match="not a regular file"):
        ask("logs.tail", host, service="auth", name="app.log", lines=3)
