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
MOST = {}


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
    assert sent == MOST
    assert {name: (sent[name], MOST[name]) for name in sent if sent[name] > MOST[name]} == {}
