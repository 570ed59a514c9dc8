"""Where paths lead, by the script itself on this machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

from guardia.board.core.plan import ToolCall
from guardia.org.directory import Host
from guardia.tools import planning
from guardia.tools.families.real_paths import REAL_PATHS
from guardia.tools.output import Output

HOST = Host(server_id="A", institution="MOF", kind="WAS")


def real(*paths: Path | str) -> list[str]:
    """Return where paths lead on this machine."""
    call = ToolCall(tool=REAL_PATHS, args={"paths": [str(path) for path in paths]})
    tool, _, command = planning.prepare(call, HOST)
    done = subprocess.run(["sh", "-c", command.render()], capture_output=True, check=True)
    output = Output(0, done.stdout.decode(), "", 0.1)
    return [row["real"] for row in tool.parse(output)["paths"]]


def test_links_of_folders_and_files_are_followed_as_far_as_they_exist(tmp_path: Path) -> None:
    audit = tmp_path / "data" / "audit"
    audit.mkdir(parents=True)
    (tmp_path / "log").symlink_to(audit)
    (tmp_path / "dangling").symlink_to(audit / "later")
    (tmp_path / "name with $(space)").symlink_to(audit)
    found = real(
        tmp_path / "log",
        tmp_path / "log" / "new" / "deep.log",
        tmp_path / "log" / ".." / "x",
        tmp_path / "dangling",
        tmp_path / "name with $(space)" / "a",
        "/",
        "/nosuch",
    )
    assert found == [
        str(audit),
        str(audit / "new" / "deep.log"),
        str(audit.parent / "x"),
        str(audit / "later"),
        str(audit / "a"),
        "/",
        "/nosuch",
    ]
