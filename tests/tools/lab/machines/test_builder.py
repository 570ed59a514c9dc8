"""Images: never half-built, never without room, and nothing is left of a killed builder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from machines_env import require_machines
from waiting import wait_until

from guardia.errors import Refused
from guardia.tools.lab.child_processes import list_processes
from guardia.tools.lab.machines import builder
from guardia.tools.lab.machines.builder import ImageCache
from guardia.tools.lab.machines.recipes import RECIPES

BUILD = """
import sys
from pathlib import Path
from guardia.tools.lab.machines.builder import ImageCache
from guardia.tools.lab.machines.recipes import RECIPES
ImageCache(Path(sys.argv[1])).obtain(RECIPES["systemd"])
"""


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("apt-get"), reason="needs apt")
def test_without_room_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "_NEEDED_BYTES", 1 << 60)
    with pytest.raises(Refused, match="MB"):
        ImageCache(tmp_path).obtain(RECIPES["systemd"])
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


@pytest.mark.machines
@pytest.mark.slow
def test_a_killed_builder_leaves_no_image_and_no_process(tmp_path: Path) -> None:
    require_machines()
    child = subprocess.Popen([sys.executable, "-c", BUILD, str(tmp_path)])
    assert wait_until(lambda: any(tmp_path.glob(".building-*/debootstrap")))
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert wait_until(lambda: not _processes_of(tmp_path))
    assert not any(tmp_path.glob("base-*"))
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
    with ImageCache(tmp_path).locked():
        assert not any(tmp_path.glob(".building-*"))


def _processes_of(folder: Path) -> list[str]:
    return [
        p.command for p in list_processes() if str(folder) in p.command and p.pid != os.getpid()
    ]
