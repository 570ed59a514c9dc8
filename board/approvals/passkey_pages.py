"""Route that issues the challenge which an approver's device signs."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Path, Request, Response
from fastapi.responses import JSONResponse

from guardia.board.approvals import pending
from guardia.board.core.issue_ref import issue_ref
from guardia.board.issues import visibility
from guardia.board.passkeys import signing
from guardia.board.passkeys.relying_party import relying_party
from guardia.board.passkeys.signing import DecisionSubject
from guardia.board.web import errors, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, require_visitor
from guardia.errors import PasskeyMissing, Stale
from guardia.text import CLEANED

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

_REGISTER = "/account#passkeys"
"""Where the page leads a person who has no passkey."""
_Number = Annotated[int, Path(ge=1, le=2**63 - 1)]


@router.post("/issues/{sr_id}/tasks/{task_id}/passkey")
def begin(
    *,
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: _Number,
    task_id: _Number,
    decision: Annotated[Literal["approve", "change", "reject"], Form()],
    plan_hash: Annotated[str, Form(min_length=1, max_length=128), CLEANED],
) -> Response:
    """Return the options with which the browser signs one decision on the plan that was shown.

    Whether the person may make this decision is checked when they submit it.
    """
    visibility.require_task(board, visitor.person, sr_id, task_id)
    if all(plan_hash != plan.plan_hash for plan in pending.pending_plans(board, sr_id)):
        raise Stale(what=issue_ref(sr_id))
    rp = relying_party(request.app.state.settings)
    subject = DecisionSubject(sr_id, task_id, plan_hash, decision)
    try:
        return JSONResponse(signing.begin(board, rp, visitor.person, subject))
    except PasskeyMissing as error:
        with render.use_visitor_language(request):
            body = {"message": errors.message_of(error), "documentation_url": _REGISTER}
        return JSONResponse(body, status_code=errors.status_of(error))
