"""Every move of the lifecycle, as agents and people call them, for what measures or counts them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from board_env import LEAD, PM, BoardEnv, action, assignment, plan

from guardia.board.approvals import decisions
from guardia.board.control import directives
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core.claims import Claim, Grant
from guardia.board.core.plan import Action, Plan
from guardia.board.execution import assignments, commands, grants, tasks
from guardia.board.execution.commands import CommandResult, PlanStep
from guardia.board.runs import beats

_T = TypeVar("_T")


class Meter(Protocol):
    """Calls a move and keeps what it cost."""

    def __call__(self, name: str, act: Callable[[], _T]) -> _T:
        """Call `act` and return its result."""


def call(_name: str, act: Callable[[], _T]) -> _T:
    """Call a move and keep nothing."""
    return act()


@dataclass
class Lifecycles:
    """A board and the moves on it; `meter` calls each with its name."""

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

    def run(self, number: int) -> None:
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
