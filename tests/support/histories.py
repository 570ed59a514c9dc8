"""Random histories of issues, as people and agents make them."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg
from board_env import ENGINEER, LEAD, PM, BoardEnv
from page_env import IssueScenario

from guardia.board.approvals import decisions
from guardia.board.assignment import queue
from guardia.board.control import directives, kill_switch, reopening, rollback
from guardia.board.control.directive_context import DirectiveRequest
from guardia.board.runs import beats
from guardia.errors import GuardiaError

_ENDS = ("wait", "complete", "complete", "fail", "reject", "abort", "manual", "new", "kill")


@dataclass
class History:
    """What happens to some issues, one step after the other."""

    env: BoardEnv
    seed: int
    chance: random.Random = field(init=False)
    lines: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def live(self, issues: int = 8) -> None:
        """Let requests come, end in many ways, and be changed after their end."""
        for _ in range(issues):
            self._one(self.chance.choice(_ENDS))
        with psycopg.connect(self.env.dsn) as connection:
            for number in range(self.chance.randrange(2, 9)):
                self.lines += 1
                connection.execute(
                    "insert into tb_msg_chat_log"
                    " (channel, external_id, room, sender, text, created_at)"
                    " values ('web', %s, '방', 'x', 'y', now() - %s * interval '5 hours')",
                    [str(self.lines), number],
                )
            connection.execute("delete from tb_msg_chat_log where external_id = '1'")

    def _one(self, end: str) -> None:
        board = self.env.board
        if end == "new":
            self.env.create_issue()
            return
        scenario = IssueScenario(self.env).waiting()
        task, bound = scenario.claim.task_id, scenario.plan_hash
        if end in ("complete", "fail", "kill"):
            decisions.decide(board, LEAD, task, approve=True, plan_hash=bound)
            scenario.start()
            if end == "kill":
                kill_switch.kill(board, LEAD, "멈춤")
                self._roll_back()
                kill_switch.release(board, PM, "다시 시작")
            else:
                (scenario.complete if end == "complete" else scenario.fail)()
        elif end == "reject":
            decisions.decide(board, LEAD, task, approve=False, plan_hash=bound, reason="다시 확인")
        elif end in ("abort", "manual"):
            self._order(task, end)
        self._afterwards(scenario)

    def _afterwards(self, scenario: IssueScenario) -> None:
        """Undo, reopen, reassign, comment or move to another institution; some are refused."""
        what = self.chance.choice(
            ["undo", "reopen", "reassign", "assign", "institution", "complete"]
        )
        task, board = scenario.claim.task_id, self.env.board
        with suppress(GuardiaError):
            if what == "undo":
                self._order(task, "undo")
                self._roll_back()
            elif what == "reopen":
                reopening.reopen(board, LEAD, scenario.sr_id, "다시")
            elif what == "reassign":
                self._order(task, "reassign", self.chance.choice(["was-agent", "eng"]))
            elif what == "assign":
                queue.assign(board, LEAD, scenario.sr_id, ENGINEER.id, "사유")
            elif what == "complete":
                self._order(task, "complete")
        if what == "institution":
            with psycopg.connect(self.env.dsn) as connection:
                moved = "update tb_sr_request set inst_id = 'MOE', priority = 'P3' where sr_id = %s"
                connection.execute(moved, [scenario.sr_id])

    def _order(self, task: int, verb: str, argument: str = "") -> None:
        request = DirectiveRequest(verb, "사유", argument)
        directives.issue_directive(self.env.board, LEAD, task, request)

    def _roll_back(self) -> None:
        """Finish what an agent must roll back."""
        begun = beats.begin(self.env.board, "db-agent")
        found = rollback.claim_rollback(self.env.board, begun) if begun else None
        if found is not None:
            rollback.finish_rollback(self.env.board, found, ["- 조치"], [])
