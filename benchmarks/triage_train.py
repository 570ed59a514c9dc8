"""Train the weights of triage, and judge them on authors that they have not seen.

    make bench NAME=triage_train                 what each author's texts score without that author,
                                                 and which values are taken for which others
    make bench NAME=triage_train ARGS=--write    writes vocabulary/weights.tsv

The texts are the templates of `triage_corpus/`, filled in, and the cases of the tests. Training is
softmax regression on the evidence that at least two authors share; it is deterministic.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from triage_corpus import Example, examples
from triage_directory import CASES, read_directory

from guardia.agents.brain.triage import weights
from guardia.agents.brain.triage.classify import facts_of
from guardia.agents.brain.triage.deciding import Decision, decide
from guardia.agents.brain.triage.evidence import evidence, with_kind
from guardia.agents.brain.triage.facts import RequestFacts
from guardia.agents.brain.triage.weights import FieldWeights

FIELDS = {
    "kind": ("INCIDENT", "REQUEST", "CHANGE", "QUESTION"),
    "category": (
        "DB", "WAS", "WEB", "SECURITY", "NETWORK", "STORAGE", "OS", "DEPLOY", "ACCOUNT", "BACKUP",
        "GENERAL",
    ),
    "priority": ("P1", "P2", "P3", "P4"),
}  # fmt: skip
OUTPUT = Path(weights.__file__).with_name("vocabulary") / "weights.tsv"
DECAY, STEPS, RATE, LEAST = 0.0007, 400, 0.05, 0.12
PARTS = 3
"""The cases are of several unnamed authors: evidence from different parts counts as shared."""


def main() -> None:
    """Print shares of right answers per author, or write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--filled", type=int, default=5, help="texts per template")
    given = parser.parse_args()
    found = [*examples(given.filled), *cases()]
    facts = [facts_of(e.text, read_directory()) for e in found]
    seen = [evidence(f) for f in facts]
    if given.write:
        write(found, seen)
        return
    decided = cross_validate(found, seen, facts)
    ruled = [decide(f, {}) for f in facts]
    for field in FIELDS:
        compare(field, found, decided, ruled)
        print_confusions(field, found, decided)


def cases() -> list[Example]:
    """Return the development cases of the tests."""
    rows = map(json.loads, (CASES / "triage.jsonl").read_text("utf-8").splitlines())
    kept = [(row["text"], row["expect"]) for row in rows if row["half"] == "tune"]
    return [
        Example(
            f"cases{n % PARTS}", text, e["kind"], e["category"], e["priority"], e["action_type"]
        )
        for n, (text, e) in enumerate(kept)
    ]


def cross_validate(
    found: list[Example], seen: list[dict[str, str]], facts: list[RequestFacts]
) -> list[Decision]:
    """Decide the texts of each author by rules and by weights of all other authors."""
    authors = np.array([e.style for e in found])
    decided: dict[int, Decision] = {}
    for author in sorted(set(authors)):
        others = authors != author
        known = {
            field: as_weights(field, *fit(field, select(found, others), select(seen, others)))
            for field in FIELDS
        }
        for number in np.flatnonzero(~others):
            decided[number] = decide(facts[number], known)
    return [decided[number] for number in range(len(found))]


def as_weights(field: str, table: dict[str, int], solved: np.ndarray) -> FieldWeights:
    """Return fitted weights as they would be read from the file."""
    stored = np.rint(solved * weights.SCALE).astype(int)
    kept = {
        name: tuple(map(int, stored[row]))
        for name, row in table.items()
        if name == weights.BIAS or abs(solved[row]).max() >= LEAST
    }
    return FieldWeights(FIELDS[field], kept)


def compare(
    field: str, found: list[Example], decided: list[Decision], ruled: list[Decision]
) -> None:
    """Print the shares of right values of each author: by rules and weights, and by rules."""
    for author in [*sorted({e.style for e in found}), "all"]:
        rows = [n for n, e in enumerate(found) if author in (e.style, "all")]
        both, alone = (
            np.mean([getattr(given[n], field).value == getattr(found[n], field) for n in rows])
            for given in (decided, ruled)
        )
        print(f"{field:9} {author:11} {len(rows):5} rules and weights {both:.3f} rules {alone:.3f}")


def print_confusions(field: str, found: list[Example], decided: list[Decision]) -> None:
    """Print how often each value was taken for each other one: a row is what was right."""
    pairs = Counter(
        (getattr(e, field), getattr(d, field).value) for e, d in zip(found, decided, strict=True)
    )
    print(f"{'':9}", *(f"{value[:8]:>8}" for value in FIELDS[field]))
    for right in FIELDS[field]:
        counts = (f"{pairs[right, value] or '·':>8}" for value in FIELDS[field])
        print(f"{right[:9]:9}", *counts)


def write(found: list[Example], seen: list[dict[str, str]]) -> None:
    """Write the weights of all texts."""
    columns: dict[str, dict[str, str]] = defaultdict(dict)
    for field in FIELDS:
        for name, row in as_weights(field, *fit(field, found, seen)).weights.items():
            columns[name][field] = ",".join(map(str, row))
    head = "\t".join(["evidence", *(f"{f}={','.join(v)}" for f, v in FIELDS.items())])
    lines = ["\t".join([n, *(c.get(f, "") for f in FIELDS)]) for n, c in sorted(columns.items())]
    OUTPUT.write_text("\n".join([head, *lines]) + "\n", "utf-8")
    print(f"{len(found)} texts, {len(lines)} pieces of evidence, {OUTPUT.stat().st_size} bytes")


def fit(
    field: str, found: Sequence[Example], seen: Sequence[dict[str, str]]
) -> tuple[dict[str, int], np.ndarray]:
    """Return the rows of the evidence, and its weights."""
    pieces = pieces_of(field, found, seen)
    authors = defaultdict(set)
    for example, names in zip(found, pieces, strict=True):
        for name in names:
            authors[name].add(example.style)
    shared = [name for name, styles in authors.items() if len(styles) > 1]
    table = {name: row for row, name in enumerate([weights.BIAS, *sorted(shared)])}
    values = FIELDS[field]
    wanted = np.eye(len(values), dtype=np.float32)[[values.index(getattr(e, field)) for e in found]]
    return table, _solve(matrix(pieces, table), wanted)


def pieces_of(
    field: str, found: Sequence[Example], seen: Sequence[dict[str, str]]
) -> list[dict[str, str]]:
    """Return the evidence for a field; the priority's depends on the kind."""
    if field != "priority":
        return list(seen)
    return [with_kind(names, e.kind) for names, e in zip(seen, found, strict=True)]


def matrix(pieces: Sequence[dict[str, str]], table: dict[str, int]) -> np.ndarray:
    """Return one row per text, one column per piece of evidence."""
    filled = np.zeros((len(pieces), len(table)), np.float32)
    filled[:, table[weights.BIAS]] = 1
    for number, names in enumerate(pieces):
        filled[number, [table[n] for n in names if n in table]] = 1
    return filled


def _solve(given: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the weights that fit best, small ones preferred (softmax regression by Adam)."""
    solved = np.zeros((given.shape[1], wanted.shape[1]), np.float32)
    mean, square = np.zeros_like(solved), np.zeros_like(solved)
    for step in range(1, STEPS + 1):
        slope = given.T @ (_shares(given @ solved) - wanted) / len(given) + DECAY * solved
        mean, square = 0.9 * mean + 0.1 * slope, 0.999 * square + 0.001 * slope**2
        by = (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        solved -= RATE * by
    return solved


def _shares(sums: np.ndarray) -> np.ndarray:
    powers = np.exp(sums - sums.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def select(values, chosen):  # type: ignore[no-untyped-def]
    """Return the values at the chosen positions."""
    return [v for v, c in zip(values, chosen, strict=True) if c]


if __name__ == "__main__":
    main()
