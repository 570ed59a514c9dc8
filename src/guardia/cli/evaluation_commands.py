"""`guardia eval commands`: how well commands are understood, by the grammar or with a brain."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guardia.cli import evaluation_brains
from guardia.cli.evaluation import load_directory, percent, read_examples, show, show_wrong
from guardia.cli.evaluation_brains import ModelUsage, brain_of
from guardia.i18n import t

if TYPE_CHECKING:
    from guardia.agents.brain.protocol import Brain
    from guardia.board.command.names import Names
    from guardia.board.command.structure import Situation

app = evaluation_brains.app

NOW = datetime(2026, 11, 20, 14, tzinfo=timezone(timedelta(hours=9)))
"""The moment at which the examples were written."""
_FIELDS = ("action", "sr_id", "target", "params")


@dataclass
class CommandScore:
    """How many examples of each kind were understood exactly, and at what cost."""

    total: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    fields: Counter[str] = field(default_factory=Counter)
    dangerous: list[str] = field(default_factory=list)
    """Ids of texts that became a destructive command and are none."""
    asked_back: int = 0
    """Texts with one meaning that were asked back."""
    milliseconds: float = 0.0
    seconds: float = 0.0
    by: Counter[str] = field(default_factory=Counter)
    won: int = 0
    lost: int = 0

    def add(self, number: str, expected: dict[str, Any], found: dict[str, Any]) -> bool:
        """Count one text. Return whether it was understood exactly."""
        from guardia.board.command.structure import DESTRUCTIVE

        action, right = str(expected.get("action")), found == expected
        self.total[action] += 1
        self.right[action] += right
        self.fields.update(n for n in _FIELDS if expected.get(n) == found.get(n))
        self.asked_back += found["action"] == "clarify" != action
        if found["action"] in DESTRUCTIVE and found["action"] != action:
            self.dangerous.append(number)
        return right

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as JSON: shares in percent."""
        count = sum(self.total.values())
        unambiguous = count - self.total["clarify"]
        return {
            "exact": percent(sum(self.right.values()), count),
            "count": count,
            **{name: percent(self.fields[name], count) for name in _FIELDS},
            "by_action": {a: percent(self.right[a], n) for a, n in sorted(self.total.items())},
            "clarified": percent(self.asked_back, unambiguous),
            "destructive_false_positives": len(self.dangerous),
            "dangerous": self.dangerous,
            "milliseconds": round(self.milliseconds / count, 3) if count else 0.0,
        }

    def of_brain(self, usage: ModelUsage) -> dict[str, Any]:
        """Return what a brain added and cost."""
        return {
            "by": dict(self.by),
            "won": self.won,
            "lost": self.lost,
            "seconds": round(self.seconds, 3),
            "calls": usage.calls,
            "tokens_in": usage.tokens_in,
            "tokens_out": usage.tokens_out,
        }


@app.command("commands", help=t("cli.eval.commands"))
def commands(
    file: Annotated[Path, typer.Argument(help=t("cli.eval.file"))],
    directory: Annotated[Path, typer.Option(help=t("cli.eval.directory"))],
    now: Annotated[datetime | None, typer.Option(help=t("cli.eval.now"))] = None,
    brain: Annotated[str | None, typer.Option("--brain", help=t("cli.eval.brain"))] = None,
    chart: Annotated[Path | None, typer.Option("--chart", help=t("cli.eval.chart"))] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help=t("cli.eval.json"))] = False,
    wrong: Annotated[bool, typer.Option("--wrong", help=t("cli.eval.wrong"))] = False,
) -> None:
    """Measure the grammar of Korean commands, and what a brain adds where it is unsure."""
    from guardia.board.command.names import Names
    from guardia.board.command.structure import Situation

    names, usage, score = Names(load_directory(directory)), ModelUsage(), CommandScore()
    asked = brain_of(brain, chart, usage) if brain is not None else None
    moment = NOW if now is None else now.astimezone(NOW.tzinfo)
    for example in read_examples(file):
        text, context = str(example["text"]), example.get("context", {})
        situation = Situation(str(context.get("user", "")), moment, context.get("sr_id"))
        expected = {k: v for k, v in example["expect"].items() if v is not None}
        found = _read(score, asked, expected, (text, situation, names))
        right = score.add(str(example.get("id", "")), expected, found)
        if wrong and not right:
            show_wrong(text, expected, found)
    figures = score.as_dict()
    show(figures | (score.of_brain(usage) if asked is not None else {}), as_json=as_json)


def _read(
    score: CommandScore,
    asked: Brain | None,
    expected: dict[str, Any],
    line: tuple[str, Situation, Names],
) -> dict[str, Any]:
    """Return what the grammar, or a brain with it, understands."""
    from guardia.board.command.parser import parse

    begun = time.perf_counter()
    grammar = parse(*line).as_dict()
    score.milliseconds += 1000 * (time.perf_counter() - begun)
    if asked is None:
        return grammar
    begun = time.perf_counter()
    answer = asked.command(*line)
    score.seconds += time.perf_counter() - begun
    score.by[answer.by] += 1
    found = answer.answer.as_dict()
    score.won += found == expected != grammar
    score.lost += grammar == expected != found
    return found
