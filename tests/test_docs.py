"""The documents name only existing files, modules, functions, classes, commands and links."""

from __future__ import annotations

import ast
import builtins
import importlib
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from guardia.cli.command_permissions import COMMAND_ACTIONS
from guardia.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [
    str(path.relative_to(ROOT))
    for pattern in ("README*.md", "CONTRIBUTING.md", "docs/*.md")
    for path in sorted(ROOT.glob(pattern))
]
FOLDERS = ("db", "org", "board", "tools", "knowledge", "agents", "heartbeat", "src/guardia")
TOP = r"(?:agents|benchmarks|board|db|docs|heartbeat|knowledge|org|src|tests|tools)/"

# Code between backticks and code blocks; a path or name in prose is a word.
CODE = re.compile(r"^```\w*\n(.*?)^```|`([^`\n]+)`", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
PATH = re.compile(rf"(?<![\w/.$:@*-])(?:{TOP}[\w/.-]*|\w[\w/-]*\.py\b)")
MODULE = re.compile(r"(?<![\w/.-])guardia(?:\.\w+)+")
FUNCTION = re.compile(r"(?:(\w+)\.)?(\w+)\(\)")
CLASS = re.compile(r"(?:[A-Z][a-z0-9]+)+")
REPLACED = re.compile(
    r"\b(desks?|leash|wards?|clerk|outsiders?|outside agents?|wakings?|heirs?|the record|on record"
    r"|whoever|whatever|wherever|nobody|somebody|anybody|for dead|is told|are told|begins? anew)\b",
    re.IGNORECASE,
)
"""Words for which the glossary has others; in code they may be names of options and tables."""
COMMAND = re.compile(r"(?<![\w/.-])guardia ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?(?![\w=])")


def code(text: str) -> Iterator[str]:
    """Yield every span and block of code."""
    return (block or span for block, span in CODE.findall(text))


def missing_paths(text: str) -> list[str]:
    """Return the files and folders that are named and do not exist."""
    named = {m.rstrip(".") for part in code(text) for m in PATH.findall(part)}
    return sorted(name for name in named if not exists(name))


def exists(name: str) -> bool:
    """Return whether a path exists, or for a bare file name any file called that."""
    if "/" in name:
        return (ROOT / name).exists()
    return (ROOT / name).exists() or any(name == path.name for path in sources())


def missing_modules(text: str) -> list[str]:
    """Return the dotted names below `guardia` that cannot be imported."""
    return sorted({name for name in MODULE.findall(text) if not is_importable(name)})


def is_importable(name: str) -> bool:
    """Return whether a dotted name is a module, or something that a module defines."""
    module, _, attribute = name.rpartition(".")
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        return bool(module) and hasattr(importlib.import_module(module), attribute)
    return True


def missing_functions(text: str) -> list[str]:
    """Return every `name()` and `owner.name()` that no module or class defines."""
    found = {m for part in code(text) for m in FUNCTION.findall(part)}
    return sorted(
        f"{owner}.{name}()".lstrip(".") for owner, name in found if not defines(owner, name)
    )


def defines(owner: str, name: str) -> bool:
    """Return whether a module or class called `owner` defines a function, or anything if empty."""
    owners = definitions().get(name, set())
    return owner in owners if owner else bool(owners)


def missing_classes(text: str) -> list[str]:
    """Return the names of classes that the product does not define."""
    named = {part for part in code(text) if CLASS.fullmatch(part)}
    return sorted(named - definitions().keys() - vars(builtins).keys())


def missing_commands(text: str) -> list[str]:
    """Return the commands that the command line does not have."""
    groups = {name.split()[0] for name in COMMAND_ACTIONS if " " in name}
    found = (m for part in code(text) for m in COMMAND.findall(part))
    named = {
        f"{first} {second}" if first in groups and second else first for first, second in found
    }
    return sorted(named - COMMAND_ACTIONS.keys() - groups)


def replaced_words(text: str) -> list[str]:
    """Return the words of the prose that the glossary has replaced."""
    return [m.lower() for m in REPLACED.findall(CODE.sub("", text))]


def broken_links(text: str, folder: str = "") -> list[str]:
    """Return the relative links whose file or heading does not exist."""
    links = [link for link in LINK.findall(text) if not re.match(r"\w+:", link)]
    return [link for link in links if not leads_somewhere(link, folder, text)]


def leads_somewhere(link: str, folder: str, text: str) -> bool:
    """Return whether a relative link has a target, and the target the heading."""
    path, _, anchor = link.partition("#")
    target = ROOT / folder / path
    if path and not target.exists():
        return False
    return not anchor or anchor in anchors(target.read_text("utf-8") if path else text)


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a document."""
    return {
        re.sub(r"[^\w\s-]", "", title).lower().replace(" ", "-") for title in HEADING.findall(text)
    }


@cache
def sources() -> tuple[Path, ...]:
    """Return every module of the product and its tests."""
    folders = (*FOLDERS, "tests", "benchmarks", "docs")
    return tuple(
        p for f in folders for p in (ROOT / f).rglob("*.py") if "node_modules" not in p.parts
    )


@cache
def definitions() -> dict[str, set[str]]:
    """Return the modules and classes that define each function or class, by its name."""
    found: dict[str, set[str]] = {}
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            for owner, name in defined_in(ast.parse(path.read_text("utf-8")), path.stem):
                found.setdefault(name, set()).add(owner)
    return found


def defined_in(tree: ast.Module, module: str) -> Iterator[tuple[str, str]]:
    """Yield every function and class of a module with its owner: the module, or a class."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield module, node.name
        if isinstance(node, ast.ClassDef):
            functions = (ast.FunctionDef, ast.AsyncFunctionDef)
            yield from (
                (node.name, inner.name) for inner in node.body if isinstance(inner, functions)
            )


CHECKS: dict[str, Callable[[str], list[str]]] = {
    "paths": missing_paths,
    "modules": missing_modules,
    "functions": missing_functions,
    "classes": missing_classes,
    "commands": missing_commands,
}


@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS)
def test_the_documents_name_only_what_exists(check: str) -> None:
    texts = {name: (ROOT / name).read_text("utf-8") for name in DOCUMENTS}
    found = {name: CHECKS[check](text) for name, text in texts.items()}
    assert {name: names for name, names in found.items() if names} == {}


def test_every_link_leads_somewhere() -> None:
    found = {
        name: broken_links((ROOT / name).read_text("utf-8"), str(Path(name).parent))
        for name in DOCUMENTS
    }
    assert {name: links for name, links in found.items() if links} == {}


def test_the_documents_use_the_words_of_the_field() -> None:
    texts = {name: (ROOT / name).read_text("utf-8") for name in (*DOCUMENTS, "CHANGELOG.md")}
    assert {name: words for name, text in texts.items() if (words := replaced_words(text))} == {}


def test_replaced_words_are_found() -> None:
    assert replaced_words("Whoever is told, `guardia keys rotate record`") == ["whoever", "is told"]


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    assert [f for f in Settings.model_fields if f"`GUARDIA_{f.upper()}`" not in text] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("check", "text", "found"),
    [
        ("paths", "see `board/desk/core.py`", ["board/desk/core.py"]),
        ("paths", "see `supervisors.py`", ["supervisors.py"]),
        ("paths", "see `board/desk/`.", ["board/desk/"]),
        ("paths", "```\nboard/desk/core.py\n```", ["board/desk/core.py"]),
        ("paths", "`/opt/agents/mine.py`, `$HOME/board/x`, `board/core/plan.py`, board/desk", []),
        (
            "modules",
            "python -m guardia.board.audit.log.verifier",
            ["guardia.board.audit.log.verifier"],
        ),
        ("modules", "`guardia.i18n.t` of `guardia.errors`", []),
        ("functions", "`tasks.begin()`", ["tasks.begin()"]),
        ("functions", "`decisions.record_intent()`", ["decisions.record_intent()"]),
        ("functions", "`commands.record_intent()`, `Gate.execute()`, `wake()`", []),
        ("classes", "a `Leash`", ["Leash"]),
        ("classes", "a `FenceGuard` and `PARSED`", []),
        ("commands", "`guardia undo SR-12`", ["undo"]),
        ("commands", "`guardia person forget`", ["person forget"]),
        ("commands", "`guardia person …`, `guardia db sql FILE`, `guardia kill --as ID`", []),
    ],
)
def test_what_does_not_exist_is_found(check: str, text: str, found: list[str]) -> None:
    assert CHECKS[check](text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[one](docs/desk.md)", ["docs/desk.md"]),
        ("[one](docs/api.md#desk)", ["docs/api.md#desk"]),
        ("[one](#desk)", ["#desk"]),
        ("# A desk\n[one](#a-desk) [two](https://example.org/x) [three](docs/api.md#health)", []),
    ],
)
def test_broken_links_are_found(text: str, found: list[str]) -> None:
    assert broken_links(text) == found
