"""The floors hold, and each contract really breaks when something reaches too high."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("db", "org", "board", "tools", "knowledge", "agents", "heartbeat")
PURE = (
    "board/core/lifecycle.py",
    "board/audit/chain.py",
    "board/approvals/policy.py",
    "tools/policy.py",
)
"""What decides about rights and truth needs nothing but the standard library and a plan's types."""

# One forbidden import for each contract of pyproject.toml.
VIOLATIONS = {
    "floors": ("org/planted.py", "import guardia.board.core.plan"),
    "board": ("board/core/lifecycle.py", "import guardia.board.desk.planted"),
    "paramiko": ("agents/planted.py", "import paramiko"),
    "asyncssh": ("tools/planted.py", "import asyncssh"),
    "graphs": ("knowledge/planted.py", "from langchain_core.messages import AIMessage"),
    "fastapi": ("heartbeat/planted.py", "import fastapi"),
    "sqlalchemy": ("tools/planted.py", "from sqlalchemy import select"),
    "clock": ("agents/planted.py", "import apscheduler"),
}


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    """Run every contract over the package in ``tree``, which comes before the installed one."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def verdicts(output: str) -> dict[str, str]:
    """Contract name -> KEPT or BROKEN, as the report says."""
    return dict(re.findall(r"^(.+?) (KEPT|BROKEN)\b", output, re.MULTILINE))


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Path]:
    """The packages as they are, to be spoiled."""
    keep = shutil.ignore_patterns("__pycache__", "static", "*.yaml", "*.md")
    for room in ROOMS:
        shutil.copytree(ROOT / room, tmp_path / room, ignore=keep)
    shutil.copytree(ROOT / "src", tmp_path / "src", symlinks=True, ignore=keep)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    yield tmp_path


def test_every_room_keeps_to_its_floor() -> None:
    ended = lint(ROOT)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert len(verdicts(ended.stdout)) == len(VIOLATIONS)


def test_each_contract_breaks_on_a_violation(copy: Path) -> None:
    before = verdicts(lint(copy).stdout)
    assert set(before.values()) == {"KEPT"}
    (copy / "board" / "desk" / "planted.py").write_text("")
    for path, line in VIOLATIONS.values():
        with (copy / path).open("a") as module:
            module.write(f"\n{line}\n")
    after = verdicts(lint(copy).stdout)
    assert after.keys() == before.keys()
    assert set(after.values()) == {"BROKEN"}


def test_a_module_without_a_floor_is_refused(copy: Path) -> None:
    (copy / "src" / "guardia" / "utils.py").write_text("")
    ended = lint(copy)
    assert ended.returncode != 0
    assert "utils" in ended.stdout + ended.stderr


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(("." * node.level) + (node.module or ""))
    return names


@pytest.mark.parametrize("path", PURE)
def test_what_decides_imports_nothing_that_acts(path: str) -> None:
    imported = _imported(ROOT / path) - {"guardia.board.core.plan", "guardia.org.approvals"}
    assert not {name for name in imported if name.split(".")[0] not in sys.stdlib_module_names}


ALONE = {
    "board/audit/signing_keys.py": {"guardia.board.audit.chain"},
    "board/audit/checkpoint.py": {
        "guardia.board.audit.chain",
        "guardia.board.audit.signing_keys",
    },
    "board/audit/verifier.py": {
        "guardia.board",
        "guardia.board.audit.chain",
        "guardia.board.audit.checkpoint",
        "guardia.board.audit.signing_keys",
    },
}
"""What others run to check us: the signature library, and so much of ours."""


@pytest.mark.parametrize("path", ALONE)
def test_the_verifier_stands_alone(path: str) -> None:
    imported = _imported(ROOT / path)
    assert {name for name in imported if name.split(".")[0] == "guardia"} <= ALONE[path]
    others = {name.split(".")[0] for name in imported} - sys.stdlib_module_names
    assert others <= {"guardia", "cryptography"}


def test_the_verifier_loads_nothing_else_of_ours() -> None:
    program = (
        "import sys, guardia.board.audit.verifier;"
        "print(*sorted(m for m in sys.modules if m.startswith('guardia')))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    rooms = {"guardia", "guardia.board"}
    assert set(ended.stdout.split()) == rooms | ALONE["board/audit/verifier.py"] | {
        "guardia.board.audit.verifier"
    }


@pytest.mark.parametrize("room", ROOMS)
def test_the_bare_room_name_is_refused_as_an_import(room: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "--select=TID251", "--stdin-filename",
         "src/guardia/planted.py", "-"],
        cwd=ROOT, input=f"from {room}.model import Thing\n", capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert "TID251" in ended.stdout


def test_rooms_are_seen_through_the_links() -> None:
    """Without the links every contract above would hold over nothing."""
    for room in ROOMS:
        assert (ROOT / "src" / "guardia" / room).resolve() == ROOT / room
        assert (ROOT / room / "__init__.py").is_file(), f"{room} is not a package"


def _opens_a_transaction(tree: ast.Module) -> bool:
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return any(
        isinstance(call, ast.Attribute)
        and call.attr == "transaction"
        and ast.unparse(call.value).endswith("database")
        for call in calls
    )


def test_only_the_desk_opens_transactions() -> None:
    """One door for every change of state: whoever else writes is named above."""
    paths = [path for room in (*ROOMS, "src/guardia/cli") for path in (ROOT / room).rglob("*.py")]
    opening = {
        str(path.relative_to(ROOT))
        for path in paths
        if _opens_a_transaction(ast.parse(path.read_text("utf-8")))
    }
    desk = {path for path in opening if path.startswith("board/desk/")}
    assert desk
    assert opening <= desk
