"""Every text for people exists in both languages, and every key that code uses exists."""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from guardia import errors
from guardia.i18n import LANGUAGES, t
from guardia.particles import PAIRS

ROOT = Path(__file__).resolve().parents[1]
LOCALE = ROOT / "src" / "guardia" / "locale"
FOLDERS = ("db", "org", "board", "tools", "knowledge", "agents", "heartbeat", "src/guardia")
PLACEHOLDER = re.compile(r"\{(\w+)(?::([^{}\s]*))?\}")
BRACKETED = re.compile(r"\((?:은|는|이|가|을|를|과|와|으|로|이라|라)\)")
HANGUL = re.compile(r"[가-힣]")
NAMED_IN_TEMPLATE = re.compile(r"""\bt\(\s*["']([\w.]+)["']\s*[,)]""")
# Keyword arguments whose value is a key instead of a text.
KEY_ARGUMENTS = {"irreversible"}
ERRORS = {name: c for name, c in vars(errors).items() if inspect.isclass(c)}


def _flat(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}.{name}")
        else:
            yield f"{prefix}.{name}", value


@cache
def texts(language: str) -> dict[str, str]:
    """Return all texts of a language by key."""
    found: dict[str, str] = {}
    for path in sorted((LOCALE / language).rglob("*.toml")):
        prefix = ".".join(path.relative_to(LOCALE / language).with_suffix("").parts)
        found.update(_flat(tomllib.loads(path.read_text("utf-8")), prefix))
    return found


def sources(suffix: str) -> list[Path]:
    """Return our files with a suffix, without the duplicates behind the links."""
    found: list[Path] = []
    for folder in FOLDERS:
        for path in (ROOT / folder).glob(f"**/*{suffix}"):
            parts = path.relative_to(ROOT / folder).parts
            linked = folder == "src/guardia" and parts[0] in FOLDERS
            if not linked and "vendor" not in path.parts:
                found.append(path)
    return sorted(found)


@cache
def trees() -> tuple[tuple[str, ast.Module], ...]:
    """Return every module with its path."""
    paths = sources(".py")
    return tuple((str(p.relative_to(ROOT)), ast.parse(p.read_text("utf-8"))) for p in paths)


def _calls_of_t() -> Iterator[tuple[str, ast.Call]]:
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                if name == "t" and node.args:
                    yield f"{path}:{node.lineno}", node


def _literal(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def names_in(text: str) -> set[str]:
    """The placeholders of a text, without their particles."""
    return {name for name, _ in PLACEHOLDER.findall(text)}


def test_both_languages_have_the_same_catalogues_keys_and_placeholders() -> None:
    names = {lang: {path.name for path in (LOCALE / lang).iterdir()} for lang in LANGUAGES}
    assert names["ko"] == names["en"]
    assert texts("ko").keys() == texts("en").keys()
    differ = {
        key: (text, texts("en")[key])
        for key, text in texts("ko").items()
        if names_in(text) != names_in(texts("en")[key])
    }
    assert not differ


def test_particles_are_chosen_and_only_korean_has_them() -> None:
    """No text shows a reader both forms of a particle: 이(가), (으)로."""
    given = {pair for text in texts("ko").values() for _, pair in PLACEHOLDER.findall(text) if pair}
    assert given
    assert given <= PAIRS
    assert not [
        key for key, text in texts("en").items() if any(p for _, p in PLACEHOLDER.findall(text))
    ]
    assert not [key for key, text in texts("ko").items() if BRACKETED.search(text)]


def test_every_entry_is_a_text_in_its_language() -> None:
    assert not [key for lang in LANGUAGES for key, v in texts(lang).items() if not str(v).strip()]
    assert not [key for key, text in texts("en").items() if HANGUL.search(text)]
    # Names and symbols alone may look the same in Korean; a sentence may not.
    english = re.compile(r"[a-z]+ [a-z]+ [a-z]+ [a-z]+")
    assert not [key for key, text in texts("ko").items() if english.search(text)]


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_has_a_text_in_each_language(name: str) -> None:
    for language in LANGUAGES:
        assert texts(language)[f"errors.{name}"]


@pytest.mark.slow
def test_errors_of_all_packages_have_texts() -> None:
    """An error without a text would hide its cause behind a KeyError."""
    missing = [
        (path, node.name)
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and {ast.unparse(base).split(".")[-1] for base in node.bases} & set(ERRORS)
        and f"errors.{node.name}" not in texts("ko")
    ]
    assert not missing


@pytest.mark.slow
def test_every_key_that_code_names_exists() -> None:
    named = [(where, key) for where, call in _calls_of_t() if (key := _literal(call.args[0]))]
    assert named
    assert not [(where, key) for where, key in named if key not in texts("ko")]


@pytest.mark.slow
def test_every_key_that_code_builds_has_a_place() -> None:
    """`t(f"board.table.{name}")`: some key must begin with the constant part."""
    unknown = []
    for where, call in _calls_of_t():
        if isinstance(call.args[0], ast.JoinedStr):
            beginning = _literal(call.args[0].values[0]) or ""
            if not any(key.startswith(beginning) for key in texts("ko")):
                unknown.append((where, beginning))
    assert not unknown


@pytest.mark.slow
def test_every_key_that_a_declaration_or_a_template_names_exists() -> None:
    named = [
        (path, key)
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg in KEY_ARGUMENTS
        if (key := _literal(node.value))
    ]
    for page in sources(".html"):
        named += [(page.name, key) for key in NAMED_IN_TEMPLATE.findall(page.read_text("utf-8"))]
    assert not [(where, key) for where, key in named if key not in texts("ko")]


@pytest.mark.slow
def test_every_placeholder_is_filled() -> None:
    """A missing value would show its braces to the reader."""
    unfilled = []
    for where, call in _calls_of_t():
        key = _literal(call.args[0])
        given = {word.arg for word in call.keywords}
        if key in texts("ko") and None not in given:
            missing = names_in(texts("ko")[key]) - given
            unfilled += [(where, key, name) for name in missing]
    assert not unfilled


def test_values_are_never_read_as_placeholders() -> None:
    text = t("errors.Invalid", what="{why}", why="<b>")
    assert "{why}" in text
    assert "<b>" in text


def test_a_missing_key_raises_a_key_error() -> None:
    with pytest.raises(KeyError, match=r"no\.such\.key"):
        t("no.such.key")
