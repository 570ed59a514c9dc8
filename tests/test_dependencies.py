"""Every library that our code imports is declared, or comes with one that is."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.slow  # parses every file
ROOT = Path(__file__).parents[1]


def _declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    return {canonicalize_name(Requirement(line).name) for lines in lists for line in lines}


def _with_their_own(declared: set[str]) -> set[str]:
    """Add what the declared ones require themselves."""
    found = set(declared)
    for name in declared:
        try:
            lines = requires(name) or []
        except PackageNotFoundError:  # an extra that is not installed
            continue
        found |= {canonicalize_name(Requirement(line).name) for line in lines}
    return found


@cache
def _imports(path: Path) -> frozenset[str]:
    return frozenset(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


def _undeclared(files: list[str], declared: set[str]) -> set[tuple[str, str]]:
    """Return pairs of an installed distribution and a file that imports it."""
    allowed, owners = _with_their_own(declared), packages_distributions()
    ours = {Path(name).stem for name in files} | {"guardia"}
    known = sys.stdlib_module_names | ours
    return {
        (distribution, name)
        for name in files
        for module in _imports(ROOT / name) - known
        for distribution in map(canonicalize_name, owners.get(module, []))
        if distribution not in allowed
    }


def _files() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "*.py"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return listed.stdout.split()


def test_every_import_is_declared() -> None:
    assert _undeclared(_files(), _declared()) == set()


def test_a_missing_declaration_is_found() -> None:
    without = _declared() - {"axe-playwright-python"}
    assert {name for name, _ in _undeclared(_files(), without)} == {"axe-playwright-python"}
