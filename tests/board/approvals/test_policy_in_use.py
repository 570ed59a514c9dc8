"""Tests of the approval policy on the board, with people and a clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from board_env import LEAD, LEAD2, PEOPLE, PM, BoardEnv, plan
from policy_env import START, Clock, rule
from second_person import with_second_person
from signing_env import ephemeral_signer
from sqlalchemy import select

from guardia.board.approvals import deadlines, decisions, delegations, pending
from guardia.board.approvals.model import Approval
from guardia.board.audit import log, signing_keys
from guardia.board.audit.model import AuditEntry
from guardia.board.control import directives
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core.lifecycle import State
from guardia.board.core.model import OutboxEntry, Task
from guardia.board.core.notices import Notice
from guardia.board.core.plan import Plan
from guardia.board.execution import tasks
from guardia.board.execution import view as execution_view
from guardia.board.issues import view as issue_view
from guardia.board.organization import chart as organization_chart
from guardia.board.runs import beats
from guardia.board.tracker import issue_page
from guardia.errors import Forbidden, Invalid, Refused, Stale
from guardia.org.directory import Directory, PersonInfo

ADMIN = PersonInfo(id="adm", name="윤서준", title="부장", role="admin")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def env(env: BoardEnv, clock: Clock) -> BoardEnv:
    """Return the board with an administrator and a clock that the test moves."""
    organization_chart.import_directory(env.board, Directory(people=(*PEOPLE, ADMIN)), {})
    env.board = replace(env.board, clock=clock)
    return env


def approve(env: BoardEnv, who: PersonInfo, task: int, bound: str) -> State:
    return decisions.decide(env.board, who, task, approve=True, plan_hash=bound)


def change(env: BoardEnv, task: int, bound: str, wanted: Plan, who: PersonInfo) -> State:
    return directives.issue_directive(
        env.board, who, task, DirectiveRequest("change", "고침", bound, wanted)
    )


def notified(env: BoardEnv, kind: str) -> set[str]:
    with env.board.database.reading() as session:
        return set(session.scalars(select(Notice.person_id).where(Notice.kind == kind)))


def messages(env: BoardEnv) -> str:
    with env.board.database.reading() as session:
        return "\n".join(session.scalars(select(OutboxEntry.text).order_by(OutboxEntry.outbox_id)))


def reasons(env: BoardEnv) -> tuple[str, ...]:
    begun = beats.begin(env.board, "db-agent")
    return begun.reasons if begun else ()


def reversible() -> Plan:
    """Return a plan whose one change can be undone."""
    action = plan().actions[0]
    back = action.model_copy(update={"irreversible": None, "undo": action.call})
    return plan("MAINTENANCE", back)


def other_plan() -> Plan:
    return plan().model_copy(update={"because": "세션 7과 9가 잠금을 쥐고 있습니다."})


# Quorum, delegation, separation --------------------------------------------------------------


@pytest.mark.slow
def test_a_quorum_takes_two_persons_and_says_how_far_it_is(env: BoardEnv) -> None:
    rule(env, "[{role: team_lead, quorum: 2}]")
    held, _, bound = env.create_filed_plan()
    assert approve(env, LEAD, held.task_id, bound) is State.PENDING_APPROVAL
    assert pending.pending_plans(env.board, held.sr_id)[0].given == 1
    with pytest.raises(Forbidden, match="중복 결재"):
        approve(env, LEAD, held.task_id, bound)
    [step] = issue_page.get_issue(env.board, LEAD2, held.sr_id).tasks[0].steps
    assert (step.quorum, len(step.votes), step.mine) == (2, 1, True)
    assert approve(env, LEAD2, held.task_id, bound) is State.APPROVED


@pytest.mark.slow
def test_a_delegate_decides_in_the_others_name_and_only_as_long(
    env: BoardEnv, clock: Clock
) -> None:
    rule(env, "[pm]")
    until = START + timedelta(days=1)
    delegations.delegate(env.board, PM, "eng", ends=until, absent=True)
    engineer = next(p for p in PEOPLE if p.id == "eng")
    held, _, bound = env.create_filed_plan()
    assert notified(env, "due") == {"eng"}
    assert pending.pending_steps(env.board, engineer)
    assert issue_page.get_issue(env.board, engineer, held.sr_id).tasks[0].steps[0].mine
    clock.later(days=2)
    with pytest.raises(Forbidden):
        approve(env, engineer, held.task_id, bound)
    clock.later(days=-2)
    assert approve(env, engineer, held.task_id, bound) is State.APPROVED
    [vote] = issue_page.get_issue(env.board, LEAD, held.sr_id).tasks[0].steps[0].votes
    assert (vote.person, vote.principal) == ("person:eng", "person:pm")


def test_a_revoked_delegation_and_a_foreign_one_give_nothing(env: BoardEnv) -> None:
    rule(env, "[pm]")
    until = START + timedelta(days=1)
    with pytest.raises(Forbidden):
        delegations.delegate(env.board, LEAD, "eng", ends=until, principal="pm")
    with pytest.raises(Invalid):
        delegations.delegate(env.board, PM, "cus", ends=until)
    with_second_person(
        env.board,
        lambda: delegations.delegate(env.board, ADMIN, "eng", ends=until, principal="pm"),
    )
    assert delegations.revoke(env.board, PM, "eng") == 1
    held, _, bound = env.create_filed_plan()
    with pytest.raises(Forbidden):
        approve(env, next(p for p in PEOPLE if p.id == "eng"), held.task_id, bound)


def test_the_author_of_a_plan_never_approves_it(env: BoardEnv) -> None:
    held, _, bound = env.create_filed_plan()
    change(env, held.task_id, bound, other_plan(), LEAD)
    fresh = tasks.plan_hash(held.task_id, other_plan())
    with pytest.raises(Stale):
        approve(env, LEAD2, held.task_id, bound)
    with pytest.raises(Forbidden, match="작성"):
        approve(env, LEAD, held.task_id, fresh)
    assert not pending.pending_steps(env.board, LEAD)
    assert approve(env, LEAD2, held.task_id, fresh) is State.APPROVED


def test_a_changed_plan_voids_approvals_and_requests_them_again(env: BoardEnv) -> None:
    held, _, bound = env.create_filed_plan()
    approve(env, LEAD, held.task_id, bound)
    assert change(env, held.task_id, bound, other_plan(), PM) is State.PENDING_APPROVAL
    with env.board.database.reading() as session:
        states = {(a.plan_hash == bound, a.state) for a in session.scalars(select(Approval))}
    assert states == {(True, "VOID"), (False, "WAITING")}
    with pytest.raises(Stale):
        tasks.begin_execution(env.board, held)
    with pytest.raises(Refused):
        fresh = tasks.plan_hash(held.task_id, other_plan())
        change(env, held.task_id, fresh, plan("READ_ONLY"), PM)


@pytest.mark.slow
def test_a_stricter_chart_stops_what_was_approved_under_a_milder_one(env: BoardEnv) -> None:
    held, _, bound = env.create_filed_plan()
    approve(env, LEAD, held.task_id, bound)
    rule(env, "[team_lead, pm]")
    with pytest.raises(Refused):
        tasks.begin_execution(env.board, held)


# Asking for changes --------------------------------------------------------------------------


def test_asking_for_changes_goes_back_to_the_agent_with_the_reason(env: BoardEnv) -> None:
    held, _, bound = env.create_filed_plan()
    beats.begin(env.board, "db-agent")
    with pytest.raises(Invalid):
        decisions.ask_changes(env.board, LEAD, held.task_id, plan_hash=bound, reason=" ")
    state = decisions.ask_changes(
        env.board, LEAD, held.task_id, plan_hash=bound, reason="업무 시간 뒤에"
    )
    assert state is State.PARSED
    assert "approval_decided" in reasons(env)
    guidance = execution_view.guidance(env.board, held.task_id)
    assert guidance.requests == ("업무 시간 뒤에",) and guidance.returned is not None
    with pytest.raises(Stale):
        tasks.file_plan(env.board, held, other_plan())
    with pytest.raises(Stale):
        approve(env, LEAD2, held.task_id, bound)


def test_the_same_plan_filed_again_needs_new_approvals(env: BoardEnv) -> None:
    rule(env, "[team_lead, pm]")
    held, filed, bound = env.create_filed_plan()
    approve(env, LEAD, held.task_id, bound)
    decisions.ask_changes(env.board, PM, held.task_id, plan_hash=bound, reason="다시")
    again = env.claim("db-agent")
    tasks.file_plan(env.board, again, filed)
    steps = issue_page.get_issue(env.board, LEAD, held.sr_id).tasks[0].steps
    assert [s.state for s in steps] == ["WAITING", "WAITING"]
    assert approve(env, LEAD, held.task_id, bound) is State.PENDING_APPROVAL
    assert approve(env, PM, held.task_id, bound) is State.APPROVED


# Time ----------------------------------------------------------------------------------------


def test_reminder_then_escalation_then_expiry(env: BoardEnv, clock: Clock) -> None:
    rule(env, "{steps: [team_lead], expires: 4h, remind: 1h, escalate_to: admin}")
    held, _, bound = env.create_filed_plan()
    assert notified(env, "due") == {"lead", "lead2"}
    assert "정다은 팀장" in messages(env)
    assert deadlines.process_due(env.board) == 0
    clock.later(hours=1, minutes=1)
    assert deadlines.process_due(env.board) == 1
    assert deadlines.process_due(env.board) == 0
    assert notified(env, "reminder") == {"lead", "lead2"}
    with pytest.raises(Forbidden):
        approve(env, ADMIN, held.task_id, bound)
    clock.later(hours=3)
    assert deadlines.process_due(env.board) == 1
    assert notified(env, "escalated") == {"lead", "lead2", "adm"}
    assert pending.pending_steps(env.board, ADMIN)
    clock.later(hours=5)
    deadlines.process_due(env.board)
    assert issue_view.issue(env.board, held.sr_id).state is State.MANUAL
    with pytest.raises(Stale):
        approve(env, LEAD, held.task_id, bound)


@pytest.mark.slow
def test_who_it_escalated_to_can_approve_and_the_work_may_start(
    env: BoardEnv, clock: Clock
) -> None:
    rule(env, "{steps: [team_lead], expires: 1h, escalate_to: admin}")
    held, _, bound = env.create_filed_plan()
    clock.later(hours=1, minutes=1)
    deadlines.process_due(env.board)
    assert approve(env, ADMIN, held.task_id, bound) is State.APPROVED
    tasks.begin_execution(env.board, held)


def test_approved_now_run_when_the_window_opens(env: BoardEnv, clock: Clock) -> None:
    rule(env, '{steps: [team_lead], windows: [{from: "22:00", until: "23:00"}]}')
    held, _, bound = env.create_filed_plan()
    assert approve(env, LEAD, held.task_id, bound) is State.APPROVED
    work_row = issue_page.get_issue(env.board, LEAD, held.sr_id).tasks[0]
    assert work_row.run_after == datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
    begun = beats.begin(env.board, "db-agent")
    assert begun is not None and beats.claim_task(env.board, begun) is None
    beats.end(env.board, begun, "idle", task_id=None, steps=0)
    clock.later(hours=10, minutes=1)
    assert deadlines.process_due(env.board) == 1
    begun = beats.begin(env.board, "db-agent")
    assert begun is not None and begun.reasons == ("window_open",)
    claim = beats.claim_task(env.board, begun)
    assert claim is not None
    tasks.begin_execution(env.board, claim)


def test_a_freeze_declared_after_the_approval_holds_the_work(env: BoardEnv, clock: Clock) -> None:
    rule(env, "[team_lead]")
    held, _, bound = env.create_filed_plan()
    approve(env, LEAD, held.task_id, bound)
    rule(env, "[team_lead]", "[{from: 2026-11-20T00:00:00, until: 2026-11-21T00:00:00}]")
    with pytest.raises(Stale):
        tasks.begin_execution(env.board, held)
    assert issue_view.issue(env.board, held.sr_id).state is State.APPROVED
    with env.board.database.reading() as session:
        assert session.scalars(select(Task.run_after)).one() is not None
    clock.later(days=1)
    deadlines.process_due(env.board)
    tasks.begin_execution(env.board, env.claim("db-agent"))


@pytest.mark.slow
def test_a_failing_row_blocks_no_other_and_raises_one_alert(
    env: BoardEnv, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines, "_BATCH", 2)  # the broken rows fill the first batch
    rule(env, "{steps: [team_lead], expires: 1h}")
    held = [env.create_filed_plan()[0] for _ in range(4)]
    clock.later(hours=2)
    with psycopg.connect(env.dsn) as connection:  # no move leads out of this state
        connection.execute(
            "update tb_ops_task set status = 'ABORTED' where task_id = any(%s)",
            [[h.task_id for h in held[:2]]],
        )
    assert deadlines.process_due(env.board) == 2
    assert [issue_view.issue(env.board, h.sr_id).state for h in held[2:]] == [State.MANUAL] * 2
    assert deadlines.process_due(env.board) == 0
    with env.board.database.reading() as session:
        alerts = session.scalars(select(OutboxEntry.text).where(OutboxEntry.kind == "alert")).all()
    assert len(alerts) == 2


# Signed decisions ----------------------------------------------------------------------------


def test_a_decision_signs_issue_plan_and_the_preceding_head(env: BoardEnv) -> None:
    held, _, bound = env.create_filed_plan()
    approve(env, LEAD, held.task_id, bound)
    with env.board.database.reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.kind == "approved")).one()
        assert log.verify_all(session).intact
    said, detail = entry.detail["statement"], entry.detail
    assert said["plan_hash"] == bound and said["issue"] == held.sr_id
    assert said["chain_head"] == entry.previous_hash
    assert signing_keys.is_genuine(said, detail["signature"], detail["key"])
    assert detail["key"] == env.board.decision_signer.public
    for name, value in {"plan_hash": "0" * 64, "person": "pm", "chain_head": "0" * 64}.items():
        assert not signing_keys.is_genuine(
            {**said, name: value}, detail["signature"], detail["key"]
        )
    assert not signing_keys.is_genuine(said, detail["signature"], ephemeral_signer().public)


def test_a_reader_of_the_audit_log_cannot_decide(env: BoardEnv) -> None:
    held, _, bound = env.create_filed_plan()
    auditor = PersonInfo(id="aud", name="감사", title="과장", role="auditor")
    for verdict in (decisions.ask_changes, decisions.decide):
        words = {"approve": True} if verdict is decisions.decide else {}
        with pytest.raises(Forbidden):
            verdict(env.board, auditor, held.task_id, plan_hash=bound, reason="x", **words)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_change_that_cannot_be_undone_takes_more(env: BoardEnv) -> None:
    rule(env, "{steps: [team_lead], irreversible: [pm]}")
    claim, _, bound = env.create_filed_plan(plan())
    assert approve(env, LEAD, claim.task_id, bound) is State.PENDING_APPROVAL
    assert approve(env, PM, claim.task_id, bound) is State.APPROVED


def test_one_that_can_be_undone_does_not(env: BoardEnv) -> None:
    rule(env, "{steps: [team_lead], irreversible: [pm]}")
    claim, _, bound = env.create_filed_plan(reversible())
    assert approve(env, LEAD, claim.task_id, bound) is State.APPROVED


def test_more_that_the_chart_demands_after_the_approval_still_counts(env: BoardEnv) -> None:
    rule(env, "{steps: [team_lead]}")
    claim, _, bound = env.create_filed_plan(plan())
    assert approve(env, LEAD, claim.task_id, bound) is State.APPROVED
    rule(env, "{steps: [team_lead], irreversible: [pm]}")
    with pytest.raises(Refused):
        tasks.begin_execution(env.board, env.claim("db-agent"))


def test_a_token_cannot_decide_on_behalf_of_a_principal(env: BoardEnv) -> None:
    eng = next(p for p in PEOPLE if p.role == "engineer")
    delegations.delegate(env.board, LEAD, eng.id, begins=None, ends=START + timedelta(days=3))
    claim, _, bound = env.create_filed_plan(plan())
    limited = eng.model_copy(update={"allowed_actions": frozenset({"plan.read"})})
    with pytest.raises(Forbidden):
        approve(env, limited, claim.task_id, bound)
    assert approve(env, eng, claim.task_id, bound) is State.APPROVED
