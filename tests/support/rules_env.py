"""Rules of a site in tests."""

from __future__ import annotations

from datetime import datetime, timedelta

from board_env import LEAD, BoardEnv

from guardia.board.approvals import decisions
from guardia.board.core.claims import Claim
from guardia.board.core.context import BoardContext
from guardia.board.execution import tasks, view
from guardia.board.site_rules import changes
from guardia.board.site_rules.terms import SiteRule
from guardia.org.directory import PersonInfo

SENTENCE = "결산 기간에는 재기동하지 않습니다."


def site_rule(name: str, terms: dict[str, object], **more: object) -> SiteRule:
    """Return a rule for everything, unless `scope` says otherwise."""
    return SiteRule.model_validate({"name": name, "terms": terms, "sentence": SENTENCE, **more})


def add(
    board: BoardContext,
    name: str,
    terms: dict[str, object],
    person: PersonInfo = LEAD,
    **more: object,
) -> SiteRule:
    """Add a rule, which is in force at once."""
    rule = site_rule(name, terms, **more)
    changes.add_rule(board, person, rule, "운영 회의 결정")
    return rule


def freeze_from(start: datetime, hours: float = 2, *actions: str) -> dict[str, object]:
    """Return a freeze that begins at a time."""
    ends = start + timedelta(hours=hours)
    period = {"from": start.isoformat(), "until": ends.isoformat()}
    return {"kind": "freeze", "actions": list(actions), "periods": [period]}


def begun(env: BoardEnv) -> Claim:
    """Return a claim whose approved plan has been started."""
    claim, _, bound = env.create_filed_plan()
    decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=bound)
    again = env.claim("db-agent")
    tasks.begin_execution(env.board, again)
    return again


def plan_hash(env: BoardEnv, task_id: int) -> str:
    """Return the hash of a task's plan."""
    return view.plan_state(env.board, task_id).plan_hash or ""
