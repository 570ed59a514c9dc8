"""Requests of a customer for the tests of service levels."""

from __future__ import annotations

from board_env import CUSTOMER, ENGINEER, SERVER, BoardEnv, assignment

from guardia.board.control import directives
from guardia.board.execution import assignments, tasks
from guardia.board.service_levels import due


def completed(env: BoardEnv) -> int:
    """Return a request of the customer that an engineer has completed."""
    sr_id = env.create_issue(requester_id=CUSTOMER.id, institution="MOF")
    assignments.file_triage(env.board, env.claim("dispatcher"), assignment(SERVER.server_id))
    claim = env.claim("db-agent")
    tasks.hand_over(env.board, claim, "런북이 없습니다.")
    request = directives.DirectiveRequest("complete", "직접 처리")
    directives.issue_directive(env.board, ENGINEER, claim.task_id, request)
    due.process_due(env.board)
    return sr_id
