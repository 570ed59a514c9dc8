"""Where machines cannot run, one sentence says what is missing and what to do."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from guardia.errors import Refused
from guardia.tools.lab.machines import requirements


def test_without_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Refused, match="root"):
        requirements.require()


def test_without_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "guardia lab up" in (requirements.missing() or "")


def test_without_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    why = requirements.missing() or ""
    assert "apt-get install apt debootstrap openssh-client systemd-container util-linux" in why


def test_without_control_groups(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in requirements.PROGRAMS:
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("guardia.tools.lab.machines.cgroups.hierarchies", tuple)
    assert "cgroup" in (requirements.missing() or "")
