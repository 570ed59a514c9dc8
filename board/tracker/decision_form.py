"""Form of a decision on a plan."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from guardia.board.approvals import start_time
from guardia.board.approvals.decision_request import DecisionRequest
from guardia.board.approvals.policy import DecisionVerdict, RejectionChoice
from guardia.board.core.context import BoardContext
from guardia.text import CLEANED, TRIMMED, Reason


class DecisionForm(BaseModel):
    """The fields of the form; `then`, `run_after` and `message` go with a rejection."""

    decision: Literal["approve", "change", "reject"]
    plan_hash: Annotated[str, Field(min_length=1, max_length=128), CLEANED]
    reason: Reason = ""
    then: Literal["", "manual", "again", "later", "close"] = ""
    run_after: Annotated[str, Field(max_length=32), TRIMMED] = ""
    message: Reason = ""
    passkey: Annotated[str, Field(max_length=20_000), CLEANED] = ""
    """The answer of the person's device, where the policy demands one."""

    def request(self, board: BoardContext) -> DecisionRequest:
        """Return the decision. Raises `Invalid` if the start time cannot be read."""
        return DecisionRequest(
            DecisionVerdict(self.decision),
            self.plan_hash,
            self.reason,
            then=RejectionChoice(self.then) if self.then else None,
            run_after=start_time.read_start(board, self.run_after),
            message=self.message,
        )
