"""Standing approvals on a real board: earned, approved, used within limits, ended by a failure."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from autonomy_env import apply_autonomy, run_action
from board_env import CUSTOMER, LEAD, LEAD2, PM, SERVER, BoardEnv, assignment, plan
from psycopg.types.json import Jsonb
from signing_env import ephemeral_signer
from sqlalchemy import select
from standing_env import (
    ACT,
    ADMIN,
    RULES,
    all_day,
    approve,
    file,
    in_force,
    prepare,
    propose,
    routine_plan,
    rows,
    start,
    succeed,
    terms_of,
)

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.control import directives
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import State
from guardia.board.core.lookup import lock_task
from guardia.board.core.model import OutboxEntry
from guardia.board.execution import assignments, tasks, view
from guardia.board.organization import chart as organization_chart
from guardia.board.standing import decisions, ending
from guardia.board.standing.lifecycle import StandingState
from guardia.board.standing.policy import KST, Limits
from guardia.errors import Forbidden, Forged, Invalid, Missing, Refused, Stale
from guardia.org import chart as org_chart
from guardia.org.directory import Directory


def state(env: BoardEnv, task_id: int) -> State:
    return view.task(env.board, task_id).state


def entries(env: BoardEnv, kind: str) -> list[AuditEntry]:
    with env.board.database.reading() as session:
        found = select(AuditEntry).where(AuditEntry.kind == kind).order_by(AuditEntry.seq)
        return list(session.scalars(found))


def messages(env: BoardEnv) -> str:
    with env.board.database.reading() as session:
        return "\n".join(session.scalars(select(OutboxEntry.text)))


def parsed(env: BoardEnv) -> int:
    """Return a triaged task that no agent has claimed."""
    env.create_issue()
    claim = env.claim("dispatcher")
    assignments.file_triage(env.board, claim, assignment(SERVER.server_id))
    return claim.task_id


def store(env: BoardEnv, task_id: int) -> bool:
    """File the routine's plan for a task."""
    with env.board.database.transaction() as session:
        task, author = lock_task(session, task_id), Actor.agent("db-agent")
        return tasks.store_plan(session, task, routine_plan(), author, env.board.clock())


# --- earning ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_enough_verified_successes_are_proposed_once(env: BoardEnv) -> None:
    prepare(env)
    succeed(env)
    assert rows(env) == []
    succeed(env)
    [row] = rows(env)
    assert (row.state, row.institution, row.kind) == ("PROPOSED", "MOF", "DB")
    completed = [e.seq for e in entries(env, "completed")]
    assert list(terms_of(env, row.standing_id).evidence) == completed
    assert "표준 변경으로 제안" in messages(env)
    succeed(env)
    assert len(rows(env)) == 1


@pytest.mark.slow
def test_nothing_is_proposed_unless_the_chart_says_so(env: BoardEnv) -> None:
    prepare(env, rules="")
    succeed(env)
    succeed(env)
    assert rows(env) == []


@pytest.mark.slow
def test_a_failure_starts_the_count_again(env: BoardEnv) -> None:
    prepare(env)
    succeed(env)
    claim = start(env)
    tasks.fail(env.board, claim, "검증 실패")
    succeed(env)
    assert rows(env) == []
    succeed(env)
    assert len(rows(env)) == 1


@pytest.mark.slow
def test_a_success_that_is_rolled_back_later_is_no_evidence(env: BoardEnv) -> None:
    number = propose(env)
    done = entries(env, "completed")[-1].task_id or 0
    directives.issue_directive(env.board, LEAD, done, DirectiveRequest("rollback", "되돌림"))
    bound = terms_of(env, number).hash
    with pytest.raises(Refused, match="근거"):
        decisions.approve(env.board, LEAD, number, bound)


@pytest.mark.slow
def test_rows_and_completions_without_a_command_are_no_evidence(env: BoardEnv) -> None:
    prepare(env)
    for _ in range(3):
        tasks.complete(env.board, start(env), "명령 없이")
    with psycopg.connect(env.dsn) as connection:
        connection.execute("update tb_action_run set state = 'DONE'")
    assert rows(env) == []


@pytest.mark.slow
def test_irreversible_and_other_runbooks_do_not_earn(env: BoardEnv) -> None:
    prepare(env)
    for given in (plan(), plan(), routine_plan(0), routine_plan(0), routine_plan(2)):
        succeed(env, given)
    assert rows(env) == []


# --- approving --------------------------------------------------------------------------------


@pytest.mark.slow
def test_it_needs_the_steps_of_the_category_and_the_policys_person(env: BoardEnv) -> None:
    number = propose(env)
    bound = terms_of(env, number).hash
    for wrong in (PM, ADMIN, CUSTOMER):
        with pytest.raises(Forbidden):
            decisions.approve(env.board, wrong, number, bound)
    assert decisions.approve(env.board, LEAD, number, bound) is StandingState.PROPOSED
    with pytest.raises(Forbidden):
        decisions.approve(env.board, LEAD2, number, bound)
    assert state(env, file(env).task_id) is State.PENDING_APPROVAL
    assert decisions.approve(env.board, ADMIN, number, bound) is StandingState.APPROVED


@pytest.mark.slow
def test_new_limits_void_the_approvals_of_the_old(env: BoardEnv) -> None:
    number = propose(env)
    bound = terms_of(env, number).hash
    decisions.approve(env.board, LEAD, number, bound)
    changed = decisions.set_limits(env.board, ADMIN, number, all_day(1), bound)
    with pytest.raises(Stale):
        decisions.approve(env.board, ADMIN, number, bound)
    with pytest.raises(Forbidden):
        decisions.approve(env.board, ADMIN, number, changed)


@pytest.mark.slow
@pytest.mark.parametrize("limits", [all_day(4), all_day(0), all_day(1, 31), all_day(1, -1)])
def test_limits_beyond_the_chart_are_refused(env: BoardEnv, limits: Limits) -> None:
    number = propose(env)
    with pytest.raises(Invalid):
        decisions.set_limits(env.board, LEAD, number, limits, terms_of(env, number).hash)


@pytest.mark.slow
def test_a_rejected_proposal_is_over_and_needs_a_reason(env: BoardEnv) -> None:
    number = propose(env)
    bound = terms_of(env, number).hash
    with pytest.raises(Missing):
        decisions.reject(env.board, LEAD, number, bound, " ")
    decisions.reject(env.board, LEAD, number, bound, "아직")
    assert rows(env)[0].state == "REJECTED"
    with pytest.raises(Stale):
        decisions.approve(env.board, LEAD, number, bound)


# --- using ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_covered_plan_is_approved_carried_out_and_named(env: BoardEnv) -> None:
    number = in_force(env)
    claim = file(env)
    assert state(env, claim.task_id) is State.APPROVED
    [use] = entries(env, "standing_used")
    assert use.detail["standing"] == number and use.task_id == claim.task_id
    assert f"표준 변경 제{number}호에 따라 승인" in use.log_content
    assert f"표준 변경 제{number}호에 따라 승인" in messages(env)
    tasks.begin_execution(env.board, claim)
    run_action(env, claim, routine_plan())
    tasks.complete(env.board, claim, "끝")
    assert state(env, claim.task_id) is State.COMPLETED
    with env.board.database.reading() as session:
        assert log.verify_all(session).intact


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["propose", "observe"])
def test_it_is_not_used_where_agents_may_not_act(env: BoardEnv, mode: str) -> None:
    in_force(env)
    apply_autonomy(env, f"[{{category: MAINTENANCE, mode: {mode}}}]", RULES)
    expected = State.MANUAL if mode == "observe" else State.PENDING_APPROVAL
    assert state(env, file(env).task_id) is expected


def test_act_without_a_standing_approval_weakens_nothing(env: BoardEnv) -> None:
    prepare(env)
    assert state(env, file(env).task_id) is State.PENDING_APPROVAL


@pytest.mark.slow
def test_two_at_once_cannot_exceed_the_limit(env: BoardEnv) -> None:
    in_force(env, all_day(1))
    numbers = [parsed(env) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        filed = list(pool.map(lambda number: store(env, number), numbers))
    assert sorted(filed) == [False, False, False, True]
    assert len(entries(env, "standing_used")) == 1


@pytest.mark.slow
def test_outside_of_its_hours_people_are_asked(env: BoardEnv) -> None:
    now = datetime.now(KST)
    later = (now + timedelta(hours=2)).time().replace(second=0, microsecond=0)
    end = (now + timedelta(hours=4)).time().replace(second=0, microsecond=0)
    in_force(env, Limits(3, later, end, now + timedelta(days=5)))
    assert state(env, file(env).task_id) is State.PENDING_APPROVAL


@pytest.mark.slow
def test_other_plans_are_not_covered(env: BoardEnv) -> None:
    in_force(env)
    tool = routine_plan().actions[0]
    call = tool.call.model_copy(update={"tool": "service.restart"})
    other = routine_plan().model_copy(update={"actions": (tool.model_copy(update={"call": call}),)})
    for given in (other, plan(), routine_plan(1, "other")):
        assert state(env, file(env, given).task_id) is State.PENDING_APPROVAL


@pytest.mark.slow
def test_a_waiting_freeze_still_holds_a_covered_plan(env: BoardEnv) -> None:
    in_force(env)
    text = org_chart.shipped_chart_path().read_text("utf-8").replace("freezes: []\n", "")
    freeze = "freezes: [{from: 2026-01-01T00:00:00, until: 2099-01-01T00:00:00}]"
    text += f"\nautonomy: {ACT}\n{RULES}{freeze}\n"
    organization_chart.apply_chart(env.board, text, Actor.operator("test"))
    claim = file(env)
    with pytest.raises(Stale):
        tasks.begin_execution(env.board, claim)


# --- forging ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_forged_row_permits_nothing(env: BoardEnv) -> None:
    propose(env)
    with psycopg.connect(env.dsn) as connection:
        connection.execute("update tb_standing set state = 'APPROVED'")
    assert state(env, file(env).task_id) is State.PENDING_APPROVAL


@pytest.mark.slow
def test_a_row_without_any_entry_permits_nothing_and_cannot_be_approved(env: BoardEnv) -> None:
    number = propose(env)
    terms = terms_of(env, number).as_dict()
    with psycopg.connect(env.dsn) as connection:
        connection.execute("update tb_standing set state = 'REJECTED'")
        connection.execute(
            "insert into tb_standing (document, version, sha256, title, category, institution,"
            " kind, state, terms, proposed_by, proposed_at) values ('log-level', 1, 's1', 'x',"
            " 'MAINTENANCE', 'MOF', 'DB', 'PROPOSED', %s, 'agent:db-agent', now())",
            [Jsonb(terms)],
        )
    forged = rows(env)[-1].standing_id
    with pytest.raises(Forged):
        decisions.approve(env.board, LEAD, forged, terms_of(env, number).hash)


@pytest.mark.slow
def test_a_task_forged_to_approved_does_not_start(env: BoardEnv) -> None:
    in_force(env, all_day(1))
    succeed(env)
    claim = file(env)
    assert state(env, claim.task_id) is State.PENDING_APPROVAL
    with psycopg.connect(env.dsn) as connection:
        connection.execute("update tb_ops_task set status = 'APPROVED' where status like 'PEND%'")
    with pytest.raises(Refused):
        tasks.begin_execution(env.board, claim)


@pytest.mark.slow
def test_a_server_moved_into_the_class_later_is_not_covered(env: BoardEnv) -> None:
    in_force(env)
    claim = file(env)
    moved = SERVER.model_copy(update={"kind": "WAS"})
    organization_chart.import_directory(env.board, Directory(servers=(moved,)), {})
    with pytest.raises(Refused):
        tasks.begin_execution(env.board, claim)


# --- ending -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_first_failure_revokes_it_in_the_same_transaction(env: BoardEnv) -> None:
    number = in_force(env)
    failing, waiting = start(env), parsed(env)
    assert store(env, waiting)
    tasks.fail(env.board, failing, "검증 실패")
    [row] = rows(env)
    assert (row.state, row.standing_id) == ("REVOKED", number)
    assert "승인자: 정다은" in messages(env)
    [entry] = entries(env, "standing_ended")
    assert entry.task_id == failing.task_id
    with pytest.raises(Refused, match="효력"):
        tasks.begin_execution(env.board, env.claim("db-agent"))
    again = parsed(env)
    assert not store(env, again) and state(env, again) is State.PENDING_APPROVAL


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["abort", "manual"])
def test_an_override_by_a_person_revokes_it(env: BoardEnv, verb: str) -> None:
    in_force(env)
    claim = file(env)
    request = DirectiveRequest(verb, "직접 하겠습니다")
    directives.issue_directive(env.board, LEAD, claim.task_id, request)
    assert rows(env)[0].state == "REVOKED"


@pytest.mark.slow
def test_a_hand_over_of_begun_work_revokes_it(env: BoardEnv) -> None:
    in_force(env)
    tasks.hand_over(env.board, start(env), "원복 실패", emergency=True)
    assert rows(env)[0].state == "REVOKED"


@pytest.mark.slow
def test_people_revoke_it_with_a_reason(env: BoardEnv) -> None:
    number = in_force(env)
    with pytest.raises(Missing):
        ending.revoke(env.board, LEAD, number, "")
    with pytest.raises(Forbidden):
        ending.revoke(env.board, CUSTOMER, number, "그만")
    ending.revoke(env.board, LEAD, number, "그만")
    assert state(env, file(env).task_id) is State.PENDING_APPROVAL


@pytest.mark.slow
def test_a_new_version_ends_it(env: BoardEnv) -> None:
    in_force(env)
    assert state(env, file(env, routine_plan(2)).task_id) is State.PENDING_APPROVAL
    assert rows(env)[0].state == "REVOKED"


@pytest.mark.slow
def test_a_changed_policy_ends_it(env: BoardEnv) -> None:
    in_force(env)
    claim = file(env)
    apply_autonomy(env, ACT, RULES.replace("successes: 2", "successes: 9"))
    with pytest.raises(Refused):
        tasks.begin_execution(env.board, claim)
    assert ending.process_due(env.board) == 1
    assert rows(env)[0].state == "REVOKED"


@pytest.mark.slow
def test_it_expires(env: BoardEnv) -> None:
    in_force(env)
    claim = file(env)
    env.board = replace(env.board, clock=lambda: datetime.now(UTC) + timedelta(days=11))
    with pytest.raises(Refused):
        tasks.begin_execution(env.board, claim)
    assert ending.process_due(env.board) == 1
    assert rows(env)[0].state == "EXPIRED"


@pytest.mark.slow
def test_it_can_be_earned_again_after_it_ended(env: BoardEnv) -> None:
    number = in_force(env)
    ending.revoke(env.board, LEAD, number, "그만")
    succeed(env)
    assert [row.state for row in rows(env)] == ["REVOKED", "PROPOSED"]
    assert approve(env, rows(env)[1].standing_id) is StandingState.APPROVED


@pytest.mark.slow
def test_a_failure_that_no_hook_saw_is_found_at_the_next_use(env: BoardEnv) -> None:
    number = in_force(env)
    with env.board.database.transaction() as session:
        log.append(
            session,
            EntryKind.FAILED,
            actor="agent:db-agent",
            now=env.board.clock(),
            sr_id=None,
            task_id=entries(env, "completed")[-1].task_id,
            detail={"text": "나중에"},
            text="나중에",
        )
    assert state(env, file(env).task_id) is State.PENDING_APPROVAL
    assert (rows(env)[0].state, rows(env)[0].standing_id) == ("REVOKED", number)


@pytest.mark.slow
def test_a_deleted_or_reset_row_does_not_revive_what_was_revoked(env: BoardEnv) -> None:
    number = in_force(env)
    ending.revoke(env.board, LEAD, number, "그만")
    with psycopg.connect(env.dsn) as connection:
        connection.execute("update tb_standing set state = 'APPROVED', ended_at = null")
    assert state(env, file(env).task_id) is State.PENDING_APPROVAL


@pytest.mark.slow
def test_stretched_terms_in_the_table_change_nothing(env: BoardEnv) -> None:
    in_force(env, all_day(1))
    with psycopg.connect(env.dsn) as connection:
        connection.execute("update tb_standing set terms = jsonb_set(terms, '{per_day}', '99')")
    succeed(env)
    assert state(env, file(env).task_id) is State.PENDING_APPROVAL


@pytest.mark.slow
def test_a_decision_signed_with_another_key_does_not_count(env: BoardEnv) -> None:
    number = propose(env)
    bound = terms_of(env, number).hash
    other = replace(env.board, decision_signer=ephemeral_signer())
    decisions.approve(other, LEAD, number, bound)
    with pytest.raises(Forbidden):
        decisions.approve(env.board, ADMIN, number, bound)
