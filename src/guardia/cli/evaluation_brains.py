"""`guardia eval requests` and `goals`: how well requests and goals are read, by any brain."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from guardia.cli import chart_file, evaluation
from guardia.cli.evaluation import load_directory, percent, read_examples, show
from guardia.errors import NotFound
from guardia.i18n import t

if TYPE_CHECKING:
    from guardia.agents.brain.goals.breakdown import GoalPiece
    from guardia.agents.brain.protocol import Brain, BrainResult
    from guardia.agents.brain.triage.classify import Triage
    from guardia.board.costs.budget_accounts import BudgetRefusal
    from guardia.board.costs.metering import ModelCallRequest, ModelCallResult
    from guardia.org.directory import Directory

T = TypeVar("T")

app = evaluation.app

FIELDS = ("kind", "category", "priority", "servers", "action_type")
_CONFUSED = ("kind", "category", "priority")
_File = Annotated[Path, typer.Argument(help=t("cli.eval.file"))]
_Directory = Annotated[Path, typer.Option(help=t("cli.eval.directory"))]
_Agent = Annotated[str | None, typer.Option("--brain", help=t("cli.eval.brain"))]
_Chart = Annotated[Path | None, typer.Option("--chart", help=t("cli.eval.chart"))]
_Json = Annotated[bool, typer.Option("--json", help=t("cli.eval.json"))]
_Wrong = Annotated[bool, typer.Option("--wrong", help=t("cli.eval.wrong"))]


@dataclass
class ModelUsage:
    """Meter of an evaluation, which has no budget: it only counts."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    def reserve(self, request: ModelCallRequest) -> int | BudgetRefusal:
        """Permit every call."""
        self.calls += 1
        return self.calls

    def settle(self, call: int, result: ModelCallResult) -> None:
        """Count the tokens that the server reported."""
        self.tokens_in += result.tokens_in if isinstance(result.tokens_in, int) else 0
        self.tokens_out += result.tokens_out if isinstance(result.tokens_out, int) else 0

    def pause_agent(self, refused: BudgetRefusal) -> None:
        """Do nothing: no call is refused."""


@dataclass
class BrainScore:
    """Right values of each field, and what reading the texts cost."""

    fields: tuple[str, ...]
    count: int = 0
    right: Counter[str] = field(default_factory=Counter)
    confused: dict[str, Counter[tuple[str, str]]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    """By field: the expected and the found value."""
    cpu: list[float] = field(default_factory=list)
    seconds: float = 0.0
    by: Counter[str] = field(default_factory=Counter)
    """How many results each author has: `embedded`, `chat:<model>`."""

    def timed(self, work: Callable[[], BrainResult[T]]) -> BrainResult[T]:
        """Return the result of `work` and keep its cost."""
        cpu, begun = time.process_time(), time.perf_counter()
        found = work()
        self.cpu.append(1000 * (time.process_time() - cpu))
        self.seconds += time.perf_counter() - begun
        self.by[found.by] += 1
        return found

    def add(self, expected: dict[str, Any], found: dict[str, Any]) -> bool:
        """Count one text. Return whether it was read exactly."""
        wrong = [name for name in self.fields if expected.get(name) != found[name]]
        self.count += 1
        self.right.update(name for name in self.fields if name not in wrong)
        self.right["exact"] += not wrong
        for name in _CONFUSED:
            if name in wrong:
                self.confused[name][str(expected.get(name)), str(found[name])] += 1
        return not wrong

    def as_dict(self, usage: ModelUsage) -> dict[str, Any]:
        """Return the figures: shares in percent, CPU in milliseconds."""
        # The first text loads the analyser.
        cpu = sorted(self.cpu[1:] or self.cpu)
        shares = {n: percent(self.right[n], self.count) for n in ("exact", *self.fields)}
        figures: dict[str, Any] = {
            **shares,
            "count": self.count,
            "cpu_ms_p50": _quantile(cpu, 0.5),
            "cpu_ms_p99": _quantile(cpu, 0.99),
            "seconds": round(self.seconds, 3),
            "by": dict(self.by),
        }
        if usage.calls:
            figures |= {
                "calls": usage.calls,
                "tokens_in": usage.tokens_in,
                "tokens_out": usage.tokens_out,
            }
        return figures

    def tables(self) -> dict[str, str]:
        """Return the confusions of each field, the most frequent first."""
        return {
            f"{name}, expected > found": ", ".join(
                f"{a} > {b}: {n}" for (a, b), n in found.most_common()
            )
            for name, found in self.confused.items()
        }


@app.command("requests", help=t("cli.eval.requests"))
def requests(
    file: _File,
    directory: _Directory,
    brain: _Agent = None,
    chart: _Chart = None,
    *,
    as_json: _Json = False,
    wrong: _Wrong = False,
) -> None:
    """Measure the triage of requests."""
    names, usage, score = load_directory(directory), ModelUsage(), BrainScore(FIELDS)
    asked, rules = brain_of(brain, chart, usage), brain_of(None, None, usage)
    won = lost = 0
    for example in read_examples(file):
        text = str(example["text"])
        found = score.timed(lambda text=text: asked.triage(text, names))  # type: ignore[misc]
        expected, got = dict(example["expect"]), values_of(found.answer)
        right = score.add(expected, got)
        if brain is not None:
            alone = values_of(rules.triage(text, names).answer)
            ruled = all(expected.get(name) == alone[name] for name in FIELDS)
            won, lost = won + (right > ruled), lost + (right < ruled)
        if wrong and not right:
            evaluation.show_wrong(text, expected, got)
    figures = score.as_dict(usage)
    if brain is not None:
        figures |= {"won": won, "lost": lost}
    show(figures if as_json else {**figures, **score.tables()}, as_json=as_json)


@app.command("goals", help=t("cli.eval.goals"))
def goals(
    file: _File,
    directory: _Directory,
    brain: _Agent = None,
    chart: _Chart = None,
    *,
    as_json: _Json = False,
    wrong: _Wrong = False,
) -> None:
    """Measure the division of goals into work: which work on which servers."""
    names, usage, score = load_directory(directory), ModelUsage(), BrainScore(("work",))
    asked, rules = brain_of(brain, chart, usage), brain_of(None, None, usage)
    won = lost = 0
    for example in read_examples(file):
        text = str(example["text"])
        found = score.timed(lambda text=text: asked.divide(text, names))  # type: ignore[misc]
        expected, got = {"work": _work(example["expect"]["work"])}, _work_in(found.answer, names)
        right = score.add(expected, got)
        if brain is not None:
            ruled = _work_in(rules.divide(text, names).answer, names) == expected
            won, lost = won + (right > ruled), lost + (right < ruled)
        if wrong and not right:
            evaluation.show_wrong(text, expected, got)
    more = {"won": won, "lost": lost} if brain is not None else {}
    show({**score.as_dict(usage), **more}, as_json=as_json)


def values_of(found: Triage) -> dict[str, Any]:
    """Return the judged fields of a triage, as examples hold them."""
    return {**found.model_dump(include=set(FIELDS)), "servers": list(found.servers)}


def brain_of(agent: str | None, chart: Path | None, usage: ModelUsage) -> Brain:
    """Return the brain of a chart's agent, or the embedded one. Raises `NotFound`."""
    from guardia.agents.brain.factory import brain_for
    from guardia.org.brains import BrainChoice
    from guardia.org.chart import parse

    if agent is None:
        return brain_for(BrainChoice(), meter=usage)
    entries = parse(chart_file.read_chart_file(chart).text).agents
    entry = next((e for e in entries if e.id == agent), None)
    if entry is None:
        raise NotFound(what=agent)
    return brain_for(entry.brain, entry.role, meter=usage)


def _work(pieces: Iterable[dict[str, Any]]) -> list[tuple[str, str | None, tuple[str, ...]]]:
    return sorted(
        (
            (str(p["category"]), p.get("action_type"), tuple(sorted(p.get("servers", ()))))
            for p in pieces
        ),
        key=repr,
    )


def _work_in(pieces: tuple[GoalPiece, ...], names: Directory) -> dict[str, Any]:
    """Return the work that the parts of a goal mean."""
    from guardia.agents.brain.goals.plan import resolve_pieces
    from guardia.agents.brain.triage.classify import triage
    from guardia.agents.brain.triage.lexicon import lexicon

    kinds = lexicon().servers
    return {
        "work": _work_of(resolve_pieces(pieces, names, kinds, None, lambda p: triage(p, names)))
    }


def _work_of(pieces: Iterable[Any]) -> list[tuple[str, str | None, tuple[str, ...]]]:
    return _work(
        {
            "category": p.triage.category,
            "action_type": p.triage.action_type,
            "servers": p.servers,
        }
        for p in pieces
    )


def _quantile(ordered: list[float], share: float) -> float:
    return round(ordered[int((len(ordered) - 1) * share)], 2) if ordered else 0.0
