"""Cost of every move of the lifecycle: CPU of this process and of PostgreSQL.

    make bench NAME=moves ARGS="--issues 100"

Each row is one use case of the board as agents and people call it: with its checks, fence, audit
entries, wakes, messages and, where one is due, a signed checkpoint with its copy. `beat` is what an
agent does around its moves: begin, claim, end.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from audit_env import witness_places
from board_env import LEAD, PM, BoardEnv, action, assignment, plan, seeded_env
from server_cpu import server_seconds

from guardia.board.approvals import decisions
from guardia.board.audit.signing import DecisionSigner
from guardia.board.control import directives
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core.claims import Claim, Grant
from guardia.board.core.plan import Action, Plan
from guardia.board.execution import assignments, commands, grants, tasks
from guardia.board.execution.commands import CommandResult, PlanStep
from guardia.board.integrity.notary import Notary
from guardia.board.runs import beats
from guardia.db.embedded import APPLICATION_ROLE, OWNER_ROLE, Cluster
from guardia.db.migrate import upgrade
from guardia.org.credential_store import FileCredentialStore

_T = TypeVar("_T")


@dataclass
class Meter:
    """Processor time by move."""

    folder: Path
    own: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    server: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def __call__(self, name: str, act: Callable[[], _T]) -> _T:
        """Call `act` and add what it cost."""
        server, own = server_seconds(self.folder), time.process_time()
        found = act()
        self.own[name].append(time.process_time() - own)
        self.server[name] += server_seconds(self.folder) - server
        return found


@dataclass
class Bench:
    """A board and the moves that are measured on it."""

    env: BoardEnv
    meter: Meter

    @contextmanager
    def beat(self, agent: str) -> Iterator[Claim]:
        """Begin an agent's beat, yield what it claims, and end the beat."""
        board = self.env.board

        def claimed() -> tuple[beats.RunContext, Claim]:
            begun = beats.begin(board, agent)
            claim = beats.claim_task(board, begun) if begun else None
            assert begun and claim
            return begun, claim

        begun, claim = self.meter("beat: begin and claim", claimed)
        yield claim
        self.meter(
            "beat: end",
            lambda: beats.end(board, begun, "done", task_id=claim.task_id, steps=1),
        )

    def parse(self) -> None:
        """Receive an issue and have it triaged."""
        self.meter("receive (RECEIVED)", self.env.create_issue)
        with self.beat("dispatcher") as claim:
            self.meter(
                "parse (PARSED)",
                lambda: assignments.file_triage(self.env.board, claim, assignment("MOF-DB-01")),
            )

    def ask(self, filed: Plan) -> tuple[Claim, str]:
        """Have a plan filed; return the claim and the plan's hash."""
        self.parse()
        with self.beat("db-agent") as claim:
            self.meter(
                "ask (PENDING_APPROVAL)", lambda: tasks.file_plan(self.env.board, claim, filed)
            )
        return claim, tasks.plan_hash(claim.task_id, filed)

    def approve(self, filed: Plan) -> None:
        """Have a plan filed and approved."""
        claim, bound = self.ask(filed)
        words = {"approve": True, "plan_hash": bound}
        self.meter(
            "approve (APPROVED)",
            lambda: decisions.decide(self.env.board, LEAD, claim.task_id, **words),
        )

    def complete(self, filed: Plan) -> None:
        """Run a whole lifecycle with every command of the plan."""
        board = self.env.board
        self.approve(filed)
        with self.beat("db-agent") as claim:
            grant = self.meter("start (IN_PROGRESS)", lambda: tasks.begin_execution(board, claim))
            for number, planned in enumerate(filed.actions):
                self.change(grant, planned, number)
            reads = grants.grant_reads(board, claim)
            intent = self.meter(
                "read: intent",
                lambda: commands.record_intent(board, reads, filed.verify[0].call, "psql …"),
            )
            self.meter(
                "read: result",
                lambda: commands.record_result(
                    board, intent, CommandResult(True, {"waiting": 0}, "0", 5)
                ),
            )
            self.meter("complete (COMPLETED)", lambda: tasks.complete(board, claim, "끝"))

    def change(self, grant: Grant, planned: Action, number: int) -> None:
        """Log one change of the plan and its result."""
        board, step = self.env.board, PlanStep(number, "do")
        intent = self.meter(
            "change: intent",
            lambda: commands.record_intent(board, grant, planned.call, "psql …", step),
        )
        self.meter(
            "change: result",
            lambda: commands.record_result(board, intent, CommandResult(True, {}, "", 5)),
        )

    def fail(self, filed: Plan) -> None:
        """Begin a plan that fails."""
        self.approve(filed)
        with self.beat("db-agent") as claim:
            tasks.begin_execution(self.env.board, claim)
            self.meter("fail (FAILED_ROLLBACK)", lambda: tasks.fail(self.env.board, claim, "원복"))

    def hand_over(self) -> int:
        """Hand a triaged task over to people; return it."""
        self.parse()
        with self.beat("db-agent") as claim:
            self.meter("hand over (MANUAL)", lambda: tasks.hand_over(self.env.board, claim, "확인"))
        return claim.task_id

    def direct(self, name: str, task_id: int, verb: str) -> None:
        """Issue a directive."""
        request = DirectiveRequest(verb, "사유")
        self.meter(name, lambda: directives.issue_directive(self.env.board, PM, task_id, request))

    def refuse(self, filed: Plan) -> None:
        """Reject one plan and ask for changes of another."""
        board = self.env.board
        claim, bound = self.ask(filed)
        self.meter(
            "reject (REJECTED)",
            lambda: decisions.decide(
                board, LEAD, claim.task_id, approve=False, plan_hash=bound, reason="사유"
            ),
        )
        other, seen = self.ask(filed)
        self.meter(
            "return (PARSED)",
            lambda: decisions.ask_changes(
                board, LEAD, other.task_id, plan_hash=seen, reason="사유"
            ),
        )
        self.direct("directive: abort (ABORTED)", other.task_id, "abort")

    def lifecycles(self, number: int) -> None:
        """Go through every move."""
        filed = plan("MAINTENANCE", action(), action())
        for _ in range(number):
            self.complete(filed)
            self.fail(filed)
            self.refuse(filed)
            task_id = self.hand_over()
            self.direct("directive: return (PARSED)", task_id, "return")
            self.direct("directive: manual (MANUAL)", task_id, "manual")
            self.direct("directive: complete (COMPLETED)", task_id, "complete")
            begun = beats.begin(self.env.board, "auditor")
            if begun is not None:
                beats.end(self.env.board, begun, "intact", task_id=None, steps=0)


def report(meter: Meter) -> None:
    """Print one line for each move, the dearest first."""
    rows = sorted(meter.own, key=lambda n: -statistics.median(meter.own[n]))
    for name in rows:
        times = meter.own[name]
        print(
            json.dumps(
                {
                    "move": name,
                    "count": len(times),
                    "process_cpu_ms": round(1000 * statistics.fmean(times), 2),
                    "median": round(1000 * statistics.median(times), 2),
                    "postgresql_cpu_ms": round(1000 * meter.server[name] / len(times), 2),
                },
                ensure_ascii=False,
            )
        )


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
                Bench(env, Meter(home / "pg")).lifecycles(3)
                measured = Bench(env, Meter(home / "pg"))
                measured.lifecycles(min(chosen.issues, 1000))
                report(measured.meter)
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
