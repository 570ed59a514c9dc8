"""`guardia eval commands`: how well commands are understood, on a file of examples with answers."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from guardia.cli.text_files import read_text
from guardia.errors import Invalid
from guardia.i18n import t

if TYPE_CHECKING:
    from guardia.org.directory import Directory

app = typer.Typer(no_args_is_help=True)

NOW = datetime(2026, 11, 20, 14, tzinfo=timezone(timedelta(hours=9)))
"""The moment at which the examples were written."""


@dataclass
class Score:
    """How many examples of each kind were understood exactly."""

    total: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    dangerous: list[str] = field(default_factory=list)
    """Ids of texts that became a destructive command and are none."""
    milliseconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as JSON: shares in percent."""
        count = sum(self.total.values())
        actions = {a: percent(self.right[a], n) for a, n in sorted(self.total.items())}
        return {
            "exact": percent(sum(self.right.values()), count),
            "count": count,
            "by_action": actions,
            "destructive_false_positives": len(self.dangerous),
            "dangerous": self.dangerous,
            "milliseconds": round(self.milliseconds / count, 3) if count else 0.0,
        }


@app.command("commands", help=t("cli.eval.commands"))
def commands(
    file: Annotated[Path, typer.Argument(help=t("cli.eval.file"))],
    directory: Annotated[Path, typer.Option(help=t("cli.eval.directory"))],
    now: Annotated[datetime | None, typer.Option(help=t("cli.eval.now"))] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help=t("cli.eval.json"))] = False,
    wrong: Annotated[bool, typer.Option("--wrong", help=t("cli.eval.wrong"))] = False,
) -> None:
    """Measure the grammar of Korean commands."""
    from guardia.board.command.names import Names
    from guardia.board.command.parser import parse
    from guardia.board.command.structure import DESTRUCTIVE, Situation

    names, score = Names(load_directory(directory)), Score()
    moment = NOW if now is None else now.astimezone(NOW.tzinfo)
    for example in read_examples(file):
        expected = {k: v for k, v in example["expect"].items() if v is not None}
        context = example.get("context", {})
        situation = Situation(str(context.get("user", "")), moment, context.get("sr_id"))
        begun = time.perf_counter()
        found = parse(str(example["text"]), situation, names).as_dict()
        score.milliseconds += 1000 * (time.perf_counter() - begun)
        action = str(expected.get("action"))
        score.total[action] += 1
        score.right[action] += found == expected
        if found["action"] in DESTRUCTIVE and found["action"] != action:
            score.dangerous.append(str(example.get("id", "")))
        if wrong and found != expected:
            show_wrong(str(example["text"]), expected, found)
    show(score.as_dict(), as_json=as_json)


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
