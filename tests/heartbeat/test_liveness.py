"""What systemd hears of a worker."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from waiting import PATIENCE

from guardia.heartbeat.liveness import Liveness


def test_systemd_hears_that_it_is_ready_once_then_that_it_lives_then_that_it_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind(address)
        door.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        life = Liveness(None)
        life.alive()
        life.alive()
        life.closing()
        heard = [door.recv(100) for _ in range(3)]
    assert heard == [b"READY=1\nWATCHDOG=1", b"WATCHDOG=1", b"STOPPING=1"]
    life.alive()  # whoever watched is gone: that is no reason to end
