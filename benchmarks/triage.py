"""How often the embedded brain's triage is exactly right, and how long it takes.

    make bench NAME=triage ARGS="requests.jsonl --directory directory.yaml"

The same texts are then read with directories of 7, 1,000 and 10,000 servers: `sizes` holds the CPU
time of each text (median and 99th percentile) and of building the index, and its memory, `ratio`
the largest directory against the smallest.

One line of the file is `{"id", "text", "expect": {kind, category, priority, servers,
action_type}}`. Without a path the cases of the tests are read; `--misses` shows what was missed.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from triage_directory import CASES, large_directory, read_directory

from guardia.agents.brain.triage.classify import triage
from guardia.agents.brain.triage.names import index_of
from guardia.org.directory import Directory

SIZES = (7, 1_000, 10_000)
FIELDS = ("kind", "category", "priority", "servers", "action_type")


def main() -> None:
    """Print one JSON object; misses go to standard error."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", nargs="?", type=Path, default=CASES / "triage.jsonl")
    parser.add_argument("--directory", type=Path, default=CASES / "directory.yaml")
    parser.add_argument("--half", help="only the lines of this half (tune, held)")
    parser.add_argument("--misses", action="store_true")
    given = parser.parse_args()
    rows = [json.loads(line) for line in given.path.read_text("utf-8").splitlines() if line.strip()]
    rows = [row for row in rows if given.half in (None, row.get("half"))]
    found = {**measure(rows, given.directory, given.misses), **measure_sizes(rows)}
    print(json.dumps(found, ensure_ascii=False, indent=2))


def measure(rows: list[dict[str, Any]], names: Path, misses: bool) -> dict[str, Any]:
    """Return accuracies from 0 to 1, and milliseconds for the first text and all others."""
    directory = read_directory(names)
    right: Counter[str] = Counter()
    seconds = []
    for row in rows:
        begin = time.perf_counter()
        found = triage(row["text"], directory)
        seconds.append(time.perf_counter() - begin)
        got = {**found.model_dump(include=set(FIELDS)), "servers": list(found.servers)}
        wrong = {f: (got[f], row["expect"][f]) for f in FIELDS if got[f] != row["expect"][f]}
        right.update(f for f in FIELDS if f not in wrong)
        right["exact"] += not wrong
        if wrong and misses:
            print(row["id"], repr(row["text"]), wrong, *found.reasons, sep="\n  ", file=sys.stderr)
    rest = sorted(seconds[1:]) or seconds
    return {
        "texts": len(rows),
        **{name: round(right[name] / len(rows), 4) for name in ("exact", *FIELDS)},
        "first_ms": round(seconds[0] * 1000, 1),
        "median_ms": round(rest[len(rest) // 2] * 1000, 2),
        "p99_ms": round(rest[int(len(rest) * 0.99)] * 1000, 2),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def measure_sizes(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return CPU milliseconds by the number of servers in the directory."""
    sizes, texts = {}, [row["text"] for row in rows]
    for size in SIZES:
        directory = large_directory(size)
        before, begin = _resident_mb(), time.process_time()
        index_of(directory)
        built = time.process_time() - begin
        memory = _resident_mb() - before
        spent = sorted(_cpu_ms(text, directory) for text in texts)
        sizes[size] = {
            "index_ms": round(built * 1000, 1),
            "index_mb": memory,
            "text_ms_p50": round(spent[len(spent) // 2], 2),
            "text_ms_p99": round(spent[int((len(spent) - 1) * 0.99)], 2),
        }
    ratio = sizes[SIZES[-1]]["text_ms_p50"] / sizes[SIZES[0]]["text_ms_p50"]
    return {"sizes": sizes, "ratio": round(ratio, 2)}


def _cpu_ms(text: str, directory: Directory) -> float:
    begin = time.process_time()
    triage(text, directory)
    return (time.process_time() - begin) * 1000


def _resident_mb() -> int:
    status = Path("/proc/self/status").read_text("ascii")
    return (
        int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
        // 1024
    )


if __name__ == "__main__":
    main()
