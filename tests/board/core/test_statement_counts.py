"""How many statements each move sends: every one costs the process about a tenth of a millisecond.

A move that needs one more raises its number here, for a reason.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest
from audit_env import AuditEnv
from lifecycle_moves import Lifecycles, call
from page_env import recorded_statements

_T = TypeVar("_T")
MOST = {
    "receive (RECEIVED)": 6,
    "parse (PARSED)": 15,
    "ask (PENDING_APPROVAL)": 18,
    "approve (APPROVED)": 20,
    "start (IN_PROGRESS)": 19,
    "change: intent": 13,
    "change: result": 7,
    "read: intent": 5,
    "read: result": 7,
    "complete (COMPLETED)": 14,
    "fail (FAILED_ROLLBACK)": 14,
    "hand over (MANUAL)": 24,
    "reject (REJECTED)": 22,
    "return (PARSED)": 22,
    "directive: abort (ABORTED)": 16,
    "directive: return (PARSED)": 14,
    "directive: manual (MANUAL)": 16,
    "directive: complete (COMPLETED)": 15,
    "beat: begin and claim": 11,
    "beat: end": 6,
}
"""Without the beginnings and ends of transactions, which are two for each."""


@pytest.mark.slow
def test_moves_send_no_more_statements_than_these(audit_env: AuditEnv) -> None:
    sent: dict[str, int] = {}

    def count(name: str, act: Callable[[], _T]) -> _T:
        with recorded_statements(audit_env.board) as statements:
            found = act()
        sent[name] = max(len(statements), sent.get(name, 0))
        return found

    Lifecycles(audit_env.env, call).run(1)  # the first moves also create keys
    Lifecycles(audit_env.env, count).run(1)
    assert sent.keys() == MOST.keys()
    assert {name: count for name, count in sent.items() if count > MOST[name]} == {}
