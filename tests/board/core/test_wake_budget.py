"""Tests of the wake budget: wake loops are bounded, marked once and cleared by people."""

from __future__ import annotations

import random
from typing import Any

import psycopg
import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, BoardEnv

from guardia.board.control import directives
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core import wake_budget
from guardia.board.core.actors import Actor
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.issues import comments
from guardia.board.organization import chart as organization_chart
from guardia.board.runs import beats as run_beats
from guardia.board.runs import clear_stall, ticks
from guardia.errors import Forbidden, Invalid
from guardia.org import chart


def rows(env: BoardEnv, query: str) -> list[Any]:
    with psycopg.connect(env.dsn) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def crowd(env: BoardEnv, count: int) -> list[str]:
    """Add `count` agents to the chart; return their ids."""
    names = [f"talker-{n}" for n in range(count)]
    entries = "".join(f"  - {{id: {n}, title: {n}, duty: operate, skills: [X]}}\n" for n in names)
    text = (
        chart.shipped_chart_path().read_text("utf-8").replace("agents:\n", f"agents:\n{entries}", 1)
    )
    organization_chart.apply_chart(env.board, text, Actor.operator("test"))
    return names


def storm(env: BoardEnv, names: list[str], issues: list[int], width: int, seed: int) -> int:
    """Run beats until no agent is woken; each beat mentions `width` other agents."""
    dice, beats = random.Random(seed), 0
    for sr_id in issues:
        words = " ".join(f"@{n}" for n in dice.sample(names, width))
        comments.add_comment(env.board, sr_id, Actor.agent("auditor"), words)
    waiting = "select distinct agent_id from tb_wake where agent_id like 'talker-%'"
    while awake := rows(env, waiting):
        begun = run_beats.begin(env.board, dice.choice(sorted(awake))[0])
        assert begun is not None
        beats += 1
        assert beats <= 10 * len(issues) * wake_budget.MAX_WAKES, "it does not end"
        for sr_id in begun.issues:
            words = " ".join(f"@{n}" for n in dice.sample(names, width))
            comments.add_comment(env.board, sr_id, Actor.agent(begun.agent_id), words)
    return beats


@pytest.mark.slow
@pytest.mark.parametrize(("issues", "width", "seed"), [(1, 50, 1), (3, 4, 2)])
def test_a_storm_of_fifty_agents_ends_with_one_mark_an_issue_and_no_new_ticket(
    env: BoardEnv, issues: int, width: int, seed: int
) -> None:
    names = crowd(env, 50)
    numbers = [env.create_issue() for _ in range(issues)]
    beats = storm(env, names, numbers, width, seed)
    assert beats <= issues * wake_budget.MAX_WAKES
    stalled = rows(env, "select sr_id, stalled_on from tb_sr_request order by sr_id")
    assert stalled == [(n, "mention") for n in numbers]
    marks = rows(env, "select sr_id from tb_audit_log where kind = 'stalled' order by sr_id")
    assert [m[0] for m in marks] == numbers
    alerts = rows(env, "select sr_id from tb_outbox where kind = 'alert' order by sr_id")
    assert [a[0] for a in alerts] == numbers


def exhausted(env: BoardEnv) -> int:
    """Create an issue with a spent wake budget; return its number."""
    sr_id = env.create_issue()
    for number in range(wake_budget.MAX_WAKES + 3):
        comments.add_comment(env.board, sr_id, Actor.agent("auditor"), f"{number} @was-agent")
    return sr_id


def test_an_agents_own_comment_never_wakes_it(env: BoardEnv) -> None:
    sr_id = env.create_issue()
    comments.add_comment(env.board, sr_id, Actor.agent("db-agent"), "@DB 에이전트 @was-agent 는?")
    query = "select agent_id, reason, cause from tb_wake where agent_id <> 'dispatcher'"
    assert rows(env, query) == [("was-agent", "mention", {"comment": 1})]


@pytest.mark.slow
def test_a_stalled_issue_wakes_no_agent_until_a_person_acts(
    env: BoardEnv,
) -> None:
    claim = env.create_parsed_task()
    run_beats.end(env.board, begun_of(claim), "x", task_id=None, steps=0)
    for _ in range(wake_budget.MAX_WAKES + 1):
        comments.add_comment(env.board, claim.sr_id, Actor.agent("auditor"), "@db-agent")
    assert not ticks.tick(env.board, "was-agent", env.board.clock())
    begun = run_beats.begin(env.board, "db-agent")
    assert begun is not None and not begun.has_work
    comments.add_comment(env.board, claim.sr_id, Actor.person(LEAD.id), "@db-agent 왜 멈췄나요?")
    assert rows(env, "select reason from tb_wake where agent_id = 'db-agent'") == [("mention",)]
    assert rows(env, "select count(*) from tb_sr_request where stalled_at is not null") == [(1,)]


def begun_of(claim: Any) -> Any:
    class Begun:
        run_id, agent_id = claim.run_id, claim.agent_id

    return Begun


@pytest.mark.slow
def test_a_person_clears_the_stall_and_agents_continue(env: BoardEnv) -> None:
    claim = env.create_parsed_task()
    run_beats.end(env.board, begun_of(claim), "x", task_id=None, steps=0)
    for _ in range(wake_budget.MAX_WAKES + 1):
        comments.add_comment(env.board, claim.sr_id, Actor.agent("auditor"), "@db-agent")
    run_beats.begin(env.board, "db-agent")
    with pytest.raises(Forbidden):
        clear_stall.clear(env.board, CUSTOMER, claim.sr_id)
    clear_stall.clear(env.board, ENGINEER, claim.sr_id)
    with pytest.raises(Invalid):
        clear_stall.clear(env.board, ENGINEER, claim.sr_id)
    begun = run_beats.begin(env.board, "db-agent")
    assert begun is not None and begun.has_work and begun.reasons == ("resumed",)
    assert run_beats.claim_task(env.board, begun) is not None
    assert rows(env, "select kind, actor from tb_audit_log order by seq desc limit 1") == [
        ("stall_lifted", f"person:{ENGINEER.id}")
    ]


@pytest.mark.slow
def test_a_directive_clears_the_stall_too(env: BoardEnv) -> None:
    sr_id = exhausted(env)
    task = rows(env, "select task_id from tb_ops_task")[0][0]
    directives.issue_directive(env.board, LEAD, task, DirectiveRequest("priority", argument="P1"))
    assert rows(env, f"select stalled_at from tb_sr_request where sr_id = {sr_id}") == [(None,)]


def test_a_task_whose_beats_crash_repeatedly_is_left_to_people(env: BoardEnv) -> None:
    claim = env.create_parsed_task()
    claimed = 1
    while True:
        begun = run_beats.begin(env.board, "db-agent")
        assert begun is not None
        if run_beats.claim_task(env.board, begun) is None:
            break
        claimed += 1
        assert claimed < 20
    assert claimed == 1 + wake_budget.limit_for(WakeReason.RECOVERY)
    query = f"select stalled_on from tb_sr_request where sr_id = {claim.sr_id}"
    assert rows(env, query) == [("recovery",)]
