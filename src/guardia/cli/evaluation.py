"""`guardia eval`: how well texts are understood, on files of examples with answers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from guardia.cli.text_files import read_text
from guardia.errors import Invalid
from guardia.i18n import t

if TYPE_CHECKING:
    from guardia.org.directory import Directory

app = typer.Typer(no_args_is_help=True)


def load_directory(path: Path) -> Directory:
    """Load people, agents, institutions and servers. Raises `Invalid` with what is wrong."""
    from guardia.org.directory import Directory

    text = read_text(path)
    try:
        found = YAML(typ="safe", pure=True).load(text)
        servers = [_server(dict(server)) for server in found.get("servers", ())]
        return Directory.model_validate({**found, "servers": servers})
    except (YAMLError, AttributeError, TypeError, ValueError) as error:
        raise Invalid(what=str(path), why=str(error).splitlines()[0]) from error


def _server(entry: dict[str, Any]) -> dict[str, Any]:
    if "id" in entry:
        entry["server_id"] = entry.pop("id")
    return entry


def read_examples(path: Path) -> list[dict[str, Any]]:
    """Read a file of examples. Raises `Invalid` with the line that is wrong."""
    lines = read_text(path).splitlines()
    return [_example(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _example(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise Invalid(what=f"{path}:{number}", why=str(error)) from error
    if not isinstance(found, dict) or "text" not in found or "expect" not in found:
        raise Invalid(what=f"{path}:{number}", why=t("cli.eval.bad_line"))
    return found


def show_wrong(text: str, expected: dict[str, Any], found: dict[str, Any]) -> None:
    """Print a text that was misread, to standard error."""
    shown = {"text": text, "expected": expected, "found": found}
    sys.stderr.write(json.dumps(shown, ensure_ascii=False) + "\n")


def percent(part: int, whole: int) -> float:
    """Return a share in percent; 0 of nothing."""
    return round(100 * part / whole, 1) if whole else 0.0


def show(figures: dict[str, Any], *, as_json: bool) -> None:
    """Print figures, as one object or line by line."""
    if as_json:
        sys.stdout.write(json.dumps(figures, ensure_ascii=False) + "\n")
        return
    for name, value in figures.items():
        sys.stdout.write(f"{name}: {value}\n")
