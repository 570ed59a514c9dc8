"""Learned weights of words for kind, category and priority, read from `vocabulary/weights.tsv`.

`make bench NAME=triage_train` writes the file. One line is a piece of evidence with its weights,
one column a field; the first line names the fields and their values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

SCALE = 32
"""Weights are stored as integers, this many for one unit of log-odds."""
BIAS = "*"
"""The evidence of every text."""
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Opinion:
    """The most likely value of a field."""

    value: str
    share: float
    """Its probability."""
    words: tuple[str, ...]
    """The words that speak most for it."""


@dataclass(frozen=True, slots=True)
class FieldWeights:
    """The values of a field, and the weight of each piece of evidence for each of them."""

    values: tuple[str, ...]
    weights: dict[str, tuple[int, ...]]

    def opinion(self, found: dict[str, str]) -> Opinion:
        """Return the value that the evidence speaks for."""
        known = [(n, w) for n in found if (w := self.weights.get(n))]
        sums = [
            sum(column) / SCALE
            for column in zip(*(w for _, w in known), self.weights[BIAS], strict=True)
        ]
        best = max(range(len(sums)), key=sums.__getitem__)
        share = 1 / sum(math.exp(s - sums[best]) for s in sums)
        ranked = sorted(known, key=lambda pair: -pair[1][best])
        words = dict.fromkeys(found[n] for n, w in ranked if w[best] > 0 and found[n])
        return Opinion(self.values[best], share, tuple(words)[:_SHOWN])


@cache
def learned() -> dict[str, FieldWeights]:
    """Return the shipped weights by field."""
    folder = files("guardia.agents.brain.triage") / "vocabulary"
    head, *lines = (folder / "weights.tsv").read_text("utf-8").splitlines()
    fields = [name.partition("=") for name in head.split("\t")[1:]]
    tables: list[dict[str, tuple[int, ...]]] = [{} for _ in fields]
    for line in lines:
        name, *columns = line.split("\t")
        for table, column in zip(tables, columns, strict=True):
            if column:
                table[name] = tuple(map(int, column.split(",")))
    return {
        name: FieldWeights(tuple(values.split(",")), table)
        for (name, _, values), table in zip(fields, tables, strict=True)
    }
