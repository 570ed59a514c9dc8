"""The import contracts hold, and each one breaks on a planted violation."""

from __future__ import annotations

import ast
import functools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Set
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("db", "org", "board", "tools", "knowledge", "agents", "heartbeat")
SOURCES = (*PACKAGES, "src/guardia/cli")

# One forbidden import for each contract of pyproject.toml.
VIOLATIONS = {
    "packages": ("org/planted.py", "import guardia.board.core.plan"),
    "board": ("board/core/lifecycle.py", "import guardia.board.approvals.policy"),
    "audit": ("board/audit/chain.py", "import guardia.board.audit.signing_keys"),
    "tools": ("tools/transport/planted.py", "import guardia.tools.gate"),
    "paramiko": ("agents/planted.py", "import paramiko"),
    "asyncssh": ("tools/planted.py", "import asyncssh"),
    "graphs": ("knowledge/planted.py", "from langchain_core.messages import AIMessage"),
    "sqlalchemy": ("tools/planted.py", "from sqlalchemy import select"),
    "clock": ("agents/planted.py", "import apscheduler"),
}


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    """Run every contract over the package in `tree`, which precedes the installed one."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def verdicts(output: str) -> dict[str, str]:
    """Return KEPT or BROKEN by contract, from the report."""
    return dict(re.findall(r"^(.+?) (KEPT|BROKEN)\b", output, re.MULTILINE))


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Path]:
    """Return a copy of the packages, for planting violations."""
    keep = shutil.ignore_patterns("__pycache__", "static", "templates", "*.yaml", "*.md")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=keep)
    shutil.copytree(ROOT / "src", tmp_path / "src", symlinks=True, ignore=keep)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    yield tmp_path


@pytest.mark.slow
def test_every_contract_holds() -> None:
    ended = lint(ROOT)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert len(verdicts(ended.stdout)) == len(VIOLATIONS)


@pytest.mark.slow
def test_each_contract_breaks_on_a_violation(copy: Path) -> None:
    before = verdicts(lint(copy).stdout)
    assert set(before.values()) == {"KEPT"}
    for path, line in VIOLATIONS.values():
        with (copy / path).open("a") as module:
            module.write(f"\n{line}\n")
    after = verdicts(lint(copy).stdout)
    assert after.keys() == before.keys()
    assert set(after.values()) == {"BROKEN"}


@pytest.mark.parametrize("path", ["src/guardia/utils.py", "board/desk/__init__.py"])
@pytest.mark.slow
def test_a_module_without_a_place_in_the_stack_is_refused(copy: Path, path: str) -> None:
    (copy / path).parent.mkdir(exist_ok=True)
    (copy / path).write_text("")
    ended = lint(copy)
    assert ended.returncode != 0
    assert path.split("/")[-2 if path.endswith("__init__.py") else -1].removesuffix(".py") in (
        ended.stdout + ended.stderr
    )


# --- contracts about files of a kind, read from the source -------------------------------------


@functools.cache
def trees(root: Path = ROOT) -> dict[str, ast.Module]:
    """Return every module of the product by its path."""
    paths = [p for s in SOURCES for p in sorted((root / s).rglob("*.py"))]
    return {
        str(p.relative_to(root)): ast.parse(p.read_text("utf-8"))
        for p in paths
        if "node_modules" not in p.parts
    }


def imported(tree: ast.AST) -> set[str]:
    """Return every module that `tree` imports, at any depth.

    `from a import b` gives both a and a.b.
    """
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = ("." * node.level) + (node.module or "")
            names.update({module, *(f"{module}.{alias.name}" for alias in node.names)})
    return names


def _below(names: set[str], packages: tuple[str, ...]) -> set[str]:
    return {n for n in names if any(n == p or n.startswith(f"{p}.") for p in packages)}


WEB = ("fastapi", "starlette", "guardia.board.web")
WEB_PACKAGES = ("board/site/", "board/web/", "board/intake/routes.py", "board/github_api/")


def loads_the_web_stack(path: str, tree: ast.Module) -> bool:
    """Return whether a module that a worker may load imports the web framework or the page kit."""
    name = path.rsplit("/", 1)[-1]
    allowed = path.startswith(WEB_PACKAGES) or (
        path.startswith("board/")
        and (name in {"pages.py", "api.py"} or name.endswith(("_pages.py", "_api.py")))
    )
    return not allowed and bool(_below(imported(tree), WEB))


PURE_NAMES = (
    "policy.py",
    "lifecycle.py",
    "goal_lifecycle.py",
    "canonical.py",
    "chain.py",
    "plan.py",
)
PURE_PACKAGES = ("board/core/", "board/audit/", "board/approvals/", "tools/policy.py")
PURE_TYPES = {
    "guardia.board.audit.canonical",
    "guardia.board.core.lifecycle",
    "guardia.board.core.plan",
    "guardia.org.approvals",
    "guardia.text",
}


def decides_impurely(path: str, tree: ast.Module) -> bool:
    """Return whether a deciding module imports anything that has side effects."""
    name = path.rsplit("/", 1)[-1]
    if name not in PURE_NAMES or not path.startswith(PURE_PACKAGES):
        return False
    modules = {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    modules |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    free = sys.stdlib_module_names | {"pydantic"}
    return bool({m for m in modules - PURE_TYPES if m.split(".")[0] not in free})


def _database_calls(tree: ast.Module, names: set[str]) -> bool:
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return any(
        isinstance(call, ast.Attribute)
        and call.attr in names
        and ast.unparse(call.value).endswith("database")
        for call in calls
    )


_WRITING = {"statements", "transaction"}


def opens_a_session(path: str, tree: ast.Module) -> bool:
    """Return whether a module outside board and database opens a session of its own."""
    return not path.startswith(("board/", "db/")) and _database_calls(tree, {"reading", *_WRITING})


def writes_from_a_reader(path: str, tree: ast.Module) -> bool:
    """Return whether a page, API route or view opens a transaction: only use cases may."""
    name = path.rsplit("/", 1)[-1]
    reader = name in {"pages.py", "api.py", "view.py"} or name.endswith(("_pages.py", "_view.py"))
    inside = path.startswith(("board/site/", "board/web/", "board/tracker/")) or reader
    return path.startswith("board/") and inside and _database_calls(tree, _WRITING)


CLEANERS = {"clean", "clean_json"}


def cleans_in_between(path: str, tree: ast.Module) -> bool:
    """Whether the board cleans text elsewhere than in the types of a door and in the log.

    Pages and use cases get clean text; the column types clean once more what is stored.
    """
    name = path.rsplit("/", 1)[-1]
    if not path.startswith("board/") or path.startswith("board/audit/") or name == "schemas.py":
        return False
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return any(
        (isinstance(call, ast.Name) and call.id in CLEANERS)
        or (
            isinstance(call, ast.Attribute)
            and call.attr in CLEANERS
            and ast.unparse(call.value) != "nh3"  # cleans HTML
        )
        for call in calls
    )


RULES: dict[str, tuple[Callable[[str, ast.Module], bool], tuple[str, str]]] = {
    "a worker loads no web stack": (
        loads_the_web_stack,
        ("board/runs/planted.py", "from guardia.board.web import render"),
    ),
    "what decides is pure": (
        decides_impurely,
        ("board/approvals/policy.py", "from sqlalchemy import select"),
    ),
    "only the board opens sessions": (
        opens_a_session,
        ("agents/planted.py", "def read(board):\n    return board.database.reading()"),
    ),
    "only use cases write": (
        writes_from_a_reader,
        ("board/costs/pages.py", "def write(board):\n    board.database.transaction()"),
    ),
    "text is cleaned at the edges": (
        cleans_in_between,
        ("board/goals/decisions.py", "def drop(reason):\n    return clean(reason).strip()"),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
def test_every_module_keeps_the_rule(rule: str) -> None:
    breaks, _ = RULES[rule]
    assert [path for path, tree in trees().items() if breaks(path, tree)] == []


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_breaks_on_a_violation(rule: str) -> None:
    breaks, (path, line) = RULES[rule]
    assert breaks(path, ast.parse(line))


@pytest.mark.parametrize(
    ("path", "breaks"),
    [
        ("board/intake/mattermost.py", True),
        ("board/intake/registry.py", True),
        ("board/dashboard/cards.py", True),
        ("board/intake/routes.py", False),
    ],
)
def test_of_channels_and_cards_only_the_routes_load_the_web_stack(path: str, breaks: bool) -> None:
    assert loads_the_web_stack(path, ast.parse("from fastapi import Request")) is breaks


def test_the_rules_about_text_are_pure() -> None:
    own = "guardia.personal_numbers"
    for path in ("src/guardia/text.py", "src/guardia/personal_numbers.py"):
        modules = {name.split(".")[0] for name in _modules(path) if not name.startswith(own)}
        assert modules <= sys.stdlib_module_names | {"pydantic"}


@pytest.mark.slow
def test_a_worker_really_loads_no_web_stack() -> None:
    program = (
        "import sys, guardia.heartbeat.worker, guardia.heartbeat.schedule, guardia.agents.team;"
        "web = {'fastapi', 'starlette', 'uvicorn'};"
        "print(*sorted({m.split('.')[0] for m in sys.modules} & web))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ended.stdout.split() == []


# --- the standalone verifier, which others run to check us -------------------------------------

ALONE = {
    "board/audit/signing_keys.py": {
        "guardia.board.audit.canonical",
        "guardia.board.audit.chain",
        "guardia.board.audit.kinds",
    },
    "board/audit/passkey_signatures.py": {
        "guardia.board.audit.canonical",
        "guardia.board.audit.chain",
        "guardia.board.audit.kinds",
    },
    "board/audit/checkpoint.py": {
        "guardia.board.audit.canonical",
        "guardia.board.audit.chain",
        "guardia.board.audit.signing_keys",
    },
    "board/audit/verifier.py": {
        "guardia.board.audit",
        "guardia.board.audit.canonical",
        "guardia.board.audit.chain",
        "guardia.board.audit.checkpoint",
        "guardia.board.audit.kinds",
        "guardia.board.audit.passkey_signatures",
        "guardia.board.audit.signing_keys",
    },
}
"""The only modules of GUARDiA that the standalone verifier may import."""


def _modules(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    found = {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    return found | {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}


@pytest.mark.parametrize("path", ALONE)
def test_the_verifier_stands_alone(path: str) -> None:
    modules = _modules(path)
    assert {name for name in modules if name.split(".")[0] == "guardia"} <= ALONE[path]
    others = {name.split(".")[0] for name in modules} - sys.stdlib_module_names
    assert others <= {"guardia", "cryptography"}


def test_the_verifier_loads_nothing_else_of_ours() -> None:
    program = (
        "import sys, guardia.board.audit.verifier;"
        "print(*sorted(m for m in sys.modules if m.startswith('guardia')))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    packages = {"guardia", "guardia.board", "guardia.board.audit"}
    verifier = "board/audit/verifier.py"
    assert set(ended.stdout.split()) == packages | ALONE[verifier] | {
        "guardia.board.audit.verifier"
    }


# --- the packages themselves -------------------------------------------------------------------


@pytest.mark.parametrize("package", PACKAGES)
def test_the_bare_package_name_is_refused_as_an_import(package: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "--select=TID251", "--stdin-filename",
         "src/guardia/planted.py", "-"],
        cwd=ROOT, input=f"from {package}.model import Thing\n", capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert "TID251" in ended.stdout


def test_packages_are_seen_through_the_links() -> None:
    """Without the links every contract would hold over nothing."""
    for package in PACKAGES:
        assert (ROOT / "src" / "guardia" / package).resolve() == ROOT / package
        assert (ROOT / package / "__init__.py").is_file(), f"{package} is not a package"


@pytest.mark.slow
def test_no_module_imports_itself_through_others() -> None:
    """There is no import cycle anywhere, imports inside functions included."""
    known = {
        "guardia."
        + path.removeprefix("src/guardia/")
        .removesuffix(".py")
        .removesuffix("/__init__")
        .replace("/", "."): tree
        for path, tree in trees().items()
    }
    graph = {name: _targets(tree, known.keys()) - {name} for name, tree in known.items()}
    assert cycles(graph) == []


def _targets(tree: ast.Module, known: Set[str]) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inner if inner <= known else inner | {node.module or ""}
    return found & known


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return every set of modules that import one another in a circle."""
    remaining = {name: set(targets) for name, targets in graph.items()}
    changed = True
    while changed:
        # What imports nothing that remains, or is imported by nothing, is in no circle.
        targeted = set().union(*remaining.values()) if remaining else set()
        loose = {n for n, t in remaining.items() if not t or n not in targeted}
        changed = bool(loose)
        remaining = {n: t - loose for n, t in remaining.items() if n not in loose}
    return [sorted(remaining)] if remaining else []


def test_a_cycle_is_found() -> None:
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == [["b", "c"]]
