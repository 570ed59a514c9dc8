"""A late change on a server starts only if its claim is still current."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from waiting import AN_HOUR, PATIENCE, wait_until

from guardia.errors import Stale
from guardia.tools.command import Command
from guardia.tools.transport.connections import Connections
from guardia.tools.transport.supervised_shell import FenceGuard

pytestmark = pytest.mark.ssh

TAG = "guardia:7:0123456789ab:0:do"


@pytest.fixture
def other(sshd: Any) -> Iterator[Connections]:
    """The connections of another worker."""
    with Connections(sshd) as kept:
        yield kept


def appending(path: Path, then: str = "") -> Command:
    """Build a change that can be counted: each appends a line."""
    return Command.of("bash", "-c", f'echo done >> "$1"; {then}', "change", str(path))


def holds() -> None:
    """Accept every claim as current."""


def lines(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_a_change_with_a_current_claim_runs_with_its_input(
    connections: Connections, sshd: Any, tmp_path: Path
) -> None:
    asked: list[int] = []
    fence_guard = FenceGuard(TAG, lambda: asked.append(lines(tmp_path / "a")))
    done = connections.run(
        sshd.host(), appending(tmp_path / "a"), timeout=PATIENCE, fence_guard=fence_guard
    )
    assert (done.exit, lines(tmp_path / "a"), asked) == (0, 1, [0])
    with_input = connections.run(
        sshd.host(),
        Command.of("cat").with_input("끝."),
        timeout=PATIENCE,
        fence_guard=FenceGuard(TAG, holds),
    )
    assert with_input.stdout == "끝."


def test_a_change_with_a_stale_claim_never_starts(
    connections: Connections, sshd: Any, tmp_path: Path
) -> None:
    def overtaken() -> None:
        raise Stale(what="SR-1")

    for _ in range(3):
        with pytest.raises(Stale):
            connections.run(
                sshd.host(),
                appending(tmp_path / "a"),
                timeout=PATIENCE,
                fence_guard=FenceGuard(TAG, overtaken),
            )
    assert connections.end(sshd.host(), TAG)
    assert lines(tmp_path / "a") == 0


@pytest.mark.slow
def test_the_next_claimant_ends_a_change_about_to_start(
    connections: Connections, other: Connections, sshd: Any, tmp_path: Path
) -> None:
    """The worst moment for a pause: the claim was current, and the command not yet started."""

    def then_paused() -> None:
        assert other.end(sshd.host(), TAG)

    late = connections.run(
        sshd.host(),
        appending(tmp_path / "a"),
        timeout=PATIENCE,
        fence_guard=FenceGuard(TAG, then_paused),
    )
    assert late.exit is None
    assert lines(tmp_path / "a") == 0


def test_the_next_claimant_ends_only_the_running_change(
    connections: Connections, other: Connections, sshd: Any, tmp_path: Path
) -> None:
    neighbour = FenceGuard(TAG.replace(":7:", ":77:"), holds)
    with ThreadPoolExecutor(2) as threads:

        def change(name: str, fence_guard: FenceGuard, cancel: threading.Event) -> Any:
            command = appending(tmp_path / name, "sleep 3600; echo done >> $1")
            return threads.submit(
                connections.run,
                sshd.host(),
                command,
                timeout=2 * AN_HOUR,
                fence_guard=fence_guard,
                cancel=cancel,
            )

        stop, let = threading.Event(), threading.Event()
        ended, kept = change("a", FenceGuard(TAG, holds), let), change("b", neighbour, stop)
        assert wait_until(lambda: lines(tmp_path / "a") + lines(tmp_path / "b") == 2)
        assert other.end(sshd.host(), TAG)
        assert ended.result(PATIENCE).exit is None
        assert not kept.done()
        stop.set()
        kept.result(PATIENCE)
    assert lines(tmp_path / "a") == 1
