"""Liveness reports to systemd."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from waiting import PATIENCE

from guardia.heartbeat.liveness import Liveness


def test_systemd_receives_ready_once_then_watchdog_then_stopping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(address)
        receiver.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        liveness = Liveness(None)
        liveness.report_alive()
        liveness.report_alive()
        liveness.report_closing()
        received = [receiver.recv(100) for _ in range(3)]
    assert received == [b"READY=1\nWATCHDOG=1", b"WATCHDOG=1", b"STOPPING=1"]
    liveness.report_alive()  # a missing receiver is no error
