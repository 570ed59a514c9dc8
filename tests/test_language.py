"""The code's English: no word that a newcomer would stumble over, no name for two things."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("db", "org", "board", "tools", "knowledge", "agents", "heartbeat", "src/guardia/cli")
EVERYWHERE = (*PACKAGES, "tests", "benchmarks")
ODD = re.compile(
    r"\b(whoever|whatever|wherever|lets? go|rests?|told|tells|hears?|heard|begins? anew|for dead"
    r"|what came of|put down|takes? in|holds together|dossier|petition|kinship|remits?|errands?"
    r"|clerk|ward|heir|leash|hands on|wants|wanted|meanwhile|besides|anew|nobody|somebody|lies|lie"
    r"|stands|stand|dear|befalls?|thereof|amiss|ours|desk|humans? who|the record)\b"
    r"|``\w+`` where|, else\b",
    re.IGNORECASE,
)
"""People's verbs for machines, archaic words, and words that the glossary has replaced."""


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def sources(folders: tuple[str, ...]) -> dict[str, ast.Module]:
    """Return every module below the folders by its path."""
    paths = [p for folder in folders for p in sorted((ROOT / folder).rglob("*.py"))]
    paths += sorted((ROOT / "src" / "guardia").glob("*.py"))
    return {str(p.relative_to(ROOT)): _parsed(p) for p in paths if "node_modules" not in p.parts}


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and text of every docstring, including those below assignments."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else []:
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                value = statement.value.value
                if isinstance(value, str):
                    yield statement.lineno, value


def log_lines(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and text of every logged message."""
    levels = {"debug", "info", "warning", "error", "exception", "critical"}
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    for node in calls:
        if (
            isinstance(node.func, ast.Attribute)
            and node.func.attr in levels
            and ast.unparse(node.func.value) in {"log", "logger", "_log"}
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            yield node.lineno, str(node.args[0].value)


def odd_words(tree: ast.Module) -> list[str]:
    """Return every odd word with its line."""
    texts = [*docstrings(tree), *log_lines(tree)]
    return [f"{line}: {m[0]}" for line, text in texts for m in ODD.finditer(text)]


@pytest.mark.slow
def test_no_docstring_or_log_line_contains_an_odd_word() -> None:
    found = {path: odd_words(tree) for path, tree in sources(EVERYWHERE).items()}
    found.pop("tests/test_language.py")  # names them
    assert {path: words for path, words in found.items() if words} == {}


@pytest.mark.parametrize(
    "source",
    [
        '"""Whoever is told."""',
        'def f():\n    """``None`` where there is none."""',
        'x = 1\n"""What the desk holds."""',
        'log.info("worker %s was taken for dead", name)',
    ],
)
def test_odd_words_are_found(source: str) -> None:
    assert odd_words(ast.parse(source))


def classes(trees: dict[str, ast.Module]) -> dict[str, list[str]]:
    """Return the modules of every public top-level class by its name."""
    found: dict[str, list[str]] = {}
    for path, tree in trees.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(path)
    return found


@pytest.mark.slow
def test_class_names_are_unique_in_the_board() -> None:
    found = classes({p: t for p, t in sources(("board",)).items() if p.startswith("board/")})
    assert {name: paths for name, paths in found.items() if len(paths) > 1} == {}


@pytest.mark.slow
def test_no_class_name_differs_only_by_a_letter() -> None:
    """`RowA` and `RowB` would be unique, too."""
    names = [name for name in classes(sources(PACKAGES)) if re.search(r"[a-z][A-Z2-9]$", name)]
    assert names == []


def test_a_repeated_class_name_is_found() -> None:
    trees = {"a.py": ast.parse("class Row: ..."), "b.py": ast.parse("class Row: ...")}
    assert Counter({n: len(p) for n, p in classes(trees).items()}) == {"Row": 2}
