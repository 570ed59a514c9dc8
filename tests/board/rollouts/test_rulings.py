"""Rules of the site bind rollouts: shown in the order of the batches, before anyone approves."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from board_env import ENGINEER, LEAD, SECOND_SERVER, SERVER
from rollout_env import drafted
from rules_env import SENTENCE, add, freeze_from

from guardia.board.approvals import requests
from guardia.board.core import bundle
from guardia.board.core.model import Task
from guardia.board.core.plan import Plan
from guardia.board.execution import tasks
from guardia.board.rollouts import drafts, rulings, view
from guardia.board.rollouts.policy import Options, RolloutState
from guardia.errors import Forbidden, RuleBroken

WAS, DB = SERVER.server_id, SECOND_SERVER.server_id
if "WAS" not in WAS:
    WAS, DB = DB, WAS
ORDER = {"kind": "order", "after": DB, "same": "action", "actions": ["deploy.*"]}
DB_FIRST = Options(tiers=("DB", "WAS"))


def said(env: Any, number: int) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return each rule with what it says, and to which servers."""
    found = rulings.rules_of(env.board, number, view.get_rollout(env.board, None, number).state)
    return [(one.status.rule.name, one.status.state, one.servers) for one in found]


def test_the_order_of_the_batches_decides_whether_one_comes_first(env: Any, tmp_path: Path) -> None:
    number = drafted(env, tmp_path)
    assert said(env, number) == []
    add(env.board, "db-first", ORDER, scope={"server": WAS})
    assert said(env, number) == [("db-first", "broken", (WAS,))]
    with pytest.raises(RuleBroken, match=f"{WAS}.*{SENTENCE}"):
        drafts.submit(env.board, ENGINEER, number)
    assert view.get_rollout(env.board, None, number).state is RolloutState.DRAFT
    drafts.reorder(env.board, ENGINEER, number, DB_FIRST)
    assert said(env, number) == [("db-first", "kept", (WAS,))]
    # At the same time is not before.
    both = Options(tiers=("DB", "WAS"), batch=2, canary=False)
    drafts.reorder(env.board, ENGINEER, number, both)
    assert said(env, number) == [("db-first", "kept", (WAS,))], "a batch never mixes tiers"
    drafts.submit(env.board, ENGINEER, number)


@pytest.mark.parametrize(
    ("terms", "state"),
    [
        ({"kind": "investigate"}, "broken"),
        ({"kind": "never", "actions": ["deploy.activate"]}, "broken"),
        ({"kind": "never", "actions": ["service.*"]}, None),
        ({"kind": "never", "paths": ["/data"]}, "broken"),
        ({"kind": "first", "action": "service.restart"}, "broken"),
        ({"kind": "first", "read": "host.load"}, "read_first"),
        ({"kind": "limit", "at_most": 5, "within_hours": 1}, "kept"),
    ],
)
def test_every_kind_of_rule_is_shown(
    env: Any, tmp_path: Path, terms: dict[str, object], state: str | None
) -> None:
    number = drafted(env, tmp_path)
    add(env.board, "one", terms, scope={"server": DB})
    assert said(env, number) == ([("one", state, (DB,))] if state else [])


def test_a_limit_counts_the_servers_of_its_place_together(env: Any, tmp_path: Path) -> None:
    number = drafted(env, tmp_path, DB_FIRST)
    terms = {"kind": "limit", "at_most": 1, "within_hours": 3, "per": "scope"}
    add(env.board, "one-a-day", terms, scope={"institution": "MOF"})
    assert said(env, number) == [("one-a-day", "waits", (WAS,)), ("one-a-day", "kept", (DB,))]


def test_a_freeze_delays_and_refuses_nothing(env: Any, tmp_path: Path) -> None:
    number = drafted(env, tmp_path)
    add(env.board, "settlement", freeze_from(env.board.clock() - timedelta(hours=1), 2))
    assert said(env, number) == [("settlement", "waits", (WAS, DB))]
    drafts.submit(env.board, ENGINEER, number)
    assert said(env, number), "also while people decide"


def test_an_exception_takes_the_approvals_of_forced(env: Any, tmp_path: Path) -> None:
    number = drafted(env, tmp_path)
    add(env.board, "look-only", {"kind": "investigate"}, scope={"server": DB})
    with pytest.raises(Forbidden):
        drafts.submit(env.board, ENGINEER, number, "장애 지속")
    sr_id = drafts.submit(env.board, LEAD, number, "장애 지속")
    shown = view.get_rollout(env.board, None, number)
    assert said(env, number) == [("look-only", "excepted", (DB,))]
    by_server = {one.server: one.plan.exceptions for one in shown.servers}
    assert by_server[WAS] == ()
    assert [(e.rule, e.reason) for e in by_server[DB]] == [("look-only", "장애 지속")]
    root = root_of(env, sr_id)
    assert root.exceptions == by_server[DB]
    lighter = root.model_copy(update={"category": "MAINTENANCE"})
    with env.board.database.reading() as session:
        asked = requests.required_policy(session, lighter).steps
        plain = lighter.model_copy(update={"exceptions": ()})
        assert set(asked) > set(requests.required_policy(session, plain).steps)


def root_of(env: Any, sr_id: int) -> Plan:
    with env.board.database.reading() as session:
        task = session.query(Task).filter_by(sr_id=sr_id).one()
        return tasks.stored_plan(task)


def test_a_root_plan_without_the_exception_permits_no_plan_with_one(
    env: Any, tmp_path: Path
) -> None:
    number = drafted(env, tmp_path)
    add(env.board, "look-only", {"kind": "investigate"}, scope={"server": DB})
    root = root_of(env, drafts.submit(env.board, LEAD, number, "장애 지속"))
    plan = next(s.plan for s in view.get_rollout(env.board, None, number).servers if s.server == DB)
    assert bundle.lists(root, plan)
    assert not bundle.lists(root.model_copy(update={"exceptions": ()}), plan)
