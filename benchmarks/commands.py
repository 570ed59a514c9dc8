"""How long a command takes to read with 7 and 10,000 servers, and to index their names.

    make bench NAME=commands

The lines are those of the tests of the grammar.
"""

from __future__ import annotations

import json
import statistics
import time
from datetime import datetime
from pathlib import Path

from guardia.board.command.names import Names
from guardia.board.command.parser import parse
from guardia.board.command.structure import Situation
from guardia.cli.evaluation import load_directory
from guardia.org.directory import Directory, Host, InstitutionInfo, PersonInfo

CASES = Path(__file__).resolve().parents[1] / "tests" / "board" / "command" / "cases"
NOW = datetime.fromisoformat("2026-11-20T14:00:00+09:00")
INSTITUTIONS, SERVERS_OF_EACH, PEOPLE = 1_000, 10, 1_000


def large(small: Directory) -> Directory:
    """Return the directory with 1,000 more institutions, 10,000 more servers, 1,000 people."""
    institutions = [
        InstitutionInfo(id=f"ORG{n:04d}", name=f"제{n}공공기관", aliases=(f"{n}기관",))
        for n in range(INSTITUTIONS)
    ]
    servers = [
        Host(
            server_id=f"ORG{n:04d}-{kind}-{m:02d}",
            institution=f"ORG{n:04d}",
            kind=kind,
            aliases=(f"{n}기관 {word} {m}호기",),
        )
        for n in range(INSTITUTIONS)
        for m in range(1, SERVERS_OF_EACH + 1)
        for kind, word in (("WAS", "와스"),)
    ]
    people = [
        PersonInfo(id=f"u{n}", name=f"강{chr(0xAC00 + n)}{chr(0xAC00 + 2 * n)}", title="주임",
                   role="engineer")
        for n in range(PEOPLE)
    ]  # fmt: skip
    return Directory(
        institutions=(*small.institutions, *institutions),
        servers=(*small.servers, *servers),
        people=(*small.people, *people),
        agents=small.agents,
    )


def main() -> None:
    """Print the figures."""
    lines = [
        json.loads(line)["text"]
        for name in ("commands.jsonl", "held_out.jsonl")
        for line in (CASES / name).read_text("utf-8").splitlines()
    ]
    small = load_directory(CASES / "directory.yaml")
    for directory in (small, large(small)):
        begun = time.perf_counter()
        names = Names(directory)
        indexed = time.perf_counter() - begun
        taken = []
        for line in lines * 3:
            begun = time.perf_counter()
            parse(line, Situation("u-lead-1", NOW), names)
            taken.append(1000 * (time.perf_counter() - begun))
        cuts = statistics.quantiles(taken, n=100)
        print(
            f"{len(directory.servers):6} servers: index {1000 * indexed:.0f} ms, "
            f"command p50 {cuts[49]:.2f} ms, p99 {cuts[98]:.2f} ms"
        )


if __name__ == "__main__":
    main()
