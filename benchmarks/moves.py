"""Cost of every move of the lifecycle: CPU of this process and of PostgreSQL, and statements.

    make bench NAME=moves ARGS="--issues 100"

Each row is one use case of the board as agents and people call it: with its checks, fence, audit
entries, wakes, messages and, where one is due, a signed checkpoint with its copies. `beat` is what
an agent does around its moves: begin, claim, end. The CPU is that of all threads of this process,
with what the kernel does for it: `system` is that part, which also wakes it after each wait for
PostgreSQL. Where a core sleeps in these waits, a move takes more, so compare only figures of
versions that were measured in turns.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from audit_env import witness_places
from board_env import BoardEnv, seeded_env
from lifecycle_moves import Lifecycles, call
from page_env import recorded_statements
from server_cpu import server_seconds

from guardia.board.audit.signing import DecisionSigner
from guardia.board.core.context import BoardContext
from guardia.board.integrity.notary import Notary
from guardia.db.embedded import APPLICATION_ROLE, OWNER_ROLE, Cluster
from guardia.db.migrate import upgrade
from guardia.org.credential_store import FileCredentialStore

_T = TypeVar("_T")


@dataclass
class StatementCount:
    """Statements by move; recording them costs time, so they are counted in rounds of their own."""

    board: BoardContext
    most: dict[str, int] = field(default_factory=dict)

    def __call__(self, name: str, act: Callable[[], _T]) -> _T:
        """Call `act` and keep the largest number of its statements."""
        with recorded_statements(self.board) as statements:
            found = act()
        self.most[name] = max(len(statements), self.most.get(name, 0))
        return found


@dataclass
class CpuMeter:
    """Processor time by move."""

    folder: Path
    own: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    system: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    server: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def __call__(self, name: str, act: Callable[[], _T]) -> _T:
        """Call `act` and add what it cost."""
        server, system, own = server_seconds(self.folder), _system_seconds(), time.process_time()
        found = act()
        self.own[name].append(time.process_time() - own)
        self.system[name] += _system_seconds() - system
        self.server[name] += server_seconds(self.folder) - server
        return found


def _system_seconds() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_stime


def report(meter: CpuMeter, statements: dict[str, int]) -> None:
    """Print one line for each move, the dearest first."""
    for name in sorted(meter.own, key=lambda n: -statistics.median(meter.own[n])):
        times = meter.own[name]
        figures = {
            "move": name,
            "count": len(times),
            "statements": statements.get(name, 0),
            "process_cpu_ms": round(1000 * statistics.fmean(times), 2),
            "median": round(1000 * statistics.median(times), 2),
            "system": round(1000 * meter.system[name] / len(times), 2),
            "postgresql_cpu_ms": round(1000 * meter.server[name] / len(times), 2),
        }
        print(json.dumps(figures, ensure_ascii=False))


def _measure(env: BoardEnv, cluster: Path, issues: int) -> None:
    statements = StatementCount(env.board)
    Lifecycles(env, call).run(1)  # the first moves also create keys
    Lifecycles(env, statements).run(2)
    meter = CpuMeter(cluster)
    Lifecycles(env, meter).run(issues)
    report(meter, statements.most)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--issues", type=int, default=40)
    chosen = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="guardia-bench-"))
    home.chmod(0o711)
    try:
        with Cluster(home / "pg") as cluster:
            cluster.create_roles()
            upgrade(cluster.dsn(OWNER_ROLE))
            with seeded_env(cluster.dsn(APPLICATION_ROLE)) as env:
                signer = DecisionSigner.from_store(FileCredentialStore(home / "secrets"))
                (home / "audit").mkdir()
                notary = Notary(witness_places(home / "audit"))
                env.board = replace(env.board, decision_signer=signer, notary=notary)
                _measure(env, home / "pg", min(chosen.issues, 1000))
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
