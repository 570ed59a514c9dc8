"""The approval policy as people and the clock meet it on the board."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from cast import CAST, LEAD, LEAD2, PM, Cast, plan
from sqlalchemy import select

from guardia.board.approvals import deadlines, decisions, delegations, pending
from guardia.board.approvals.model import Approval, Notice
from guardia.board.audit import log, signing, signing_keys
from guardia.board.audit.model import AuditEntry
from guardia.board.control import directives
from guardia.board.control.directives import Wish
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Outgoing, Task
from guardia.board.core.plan import Plan
from guardia.board.execution import tasks, view
from guardia.board.organization import chart as organization_chart
from guardia.board.runs import beats
from guardia.board.tracker import issue_list, issue_page
from guardia.errors import Forbidden, Invalid, Refused, Stale
from guardia.org import chart
from guardia.org.directory import Directory, PersonName

ADMIN = PersonName(id="adm", name="윤서준", title="부장", role="admin")
START = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)  # a Friday noon in Seoul


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now

    def later(self, **much: float) -> None:
        self.now += timedelta(**much)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def board(cast: Cast, clock: Clock) -> Cast:
    """The cast with an administrator, under a clock that the test moves."""
    organization_chart.enrol(cast.desk, Directory(people=(*CAST, ADMIN)), {})
    cast.desk = replace(cast.desk, clock=clock)
    return cast


def rule(board: Cast, policy: str, freezes: str = "[]") -> None:
    """Make ``policy`` that of MAINTENANCE."""
    head = chart.shipped().read_text("utf-8").split("\napprovals:")[0]
    text = f"{head}\napprovals:\n  READ_ONLY: []\n  MAINTENANCE: {policy}\nfreezes: {freezes}\n"
    organization_chart.apply_chart(board.desk, text, "operator:test")


def approve(board: Cast, who: PersonName, task: int, bound: str) -> State:
    return decisions.decide(board.desk, who, task, approve=True, plan_hash=bound)


def change(board: Cast, task: int, bound: str, wanted: Plan, who: PersonName) -> State:
    return directives.give(board.desk, who, task, Wish("change", "고침", bound, wanted))


def told(board: Cast, kind: str) -> set[str]:
    with board.desk.database.reading() as session:
        return set(session.scalars(select(Notice.person_id).where(Notice.kind == kind)))


def messages(board: Cast) -> str:
    with board.desk.database.reading() as session:
        return "\n".join(session.scalars(select(Outgoing.text).order_by(Outgoing.outbox_id)))


def reasons(board: Cast) -> tuple[str, ...]:
    begun = beats.begin(board.desk, "db-agent")
    return begun.reasons if begun else ()


def reversible() -> Plan:
    """A plan whose one change can be undone."""
    action = plan().actions[0]
    back = action.model_copy(update={"irreversible": None, "undo": action.call})
    return plan("MAINTENANCE", back)


def other_plan() -> Plan:
    return plan().model_copy(update={"because": "세션 7과 9가 잠금을 쥐고 있습니다."})


# Quorum, delegation, separation --------------------------------------------------------------


def test_a_quorum_takes_two_persons_and_says_how_far_it_is(board: Cast) -> None:
    rule(board, "[{role: team_lead, quorum: 2}]")
    held, _, bound = board.planned()
    assert approve(board, LEAD, held.task_id, bound) is State.PENDING_APPROVAL
    assert pending.waiting_plans(board.desk, held.sr_id)[0].given == 1
    with pytest.raises(Forbidden, match="중복 결재"):
        approve(board, LEAD, held.task_id, bound)
    [step] = issue_page.issue(board.desk, LEAD2, held.sr_id).works[0].steps
    assert (step.quorum, len(step.votes), step.mine) == (2, 1, True)
    assert approve(board, LEAD2, held.task_id, bound) is State.APPROVED


def test_a_delegate_decides_in_the_others_name_and_only_as_long(board: Cast, clock: Clock) -> None:
    rule(board, "[pm]")
    until = START + timedelta(days=1)
    delegations.delegate(board.desk, PM, "eng", ends=until, absent=True)
    engineer = next(p for p in CAST if p.id == "eng")
    held, _, bound = board.planned()
    assert told(board, "due") == {"eng"}
    assert issue_list.issues(board.desk, engineer, issue_list.Query()).waiting
    assert issue_page.issue(board.desk, engineer, held.sr_id).works[0].steps[0].mine
    clock.later(days=2)
    with pytest.raises(Forbidden):
        approve(board, engineer, held.task_id, bound)
    clock.later(days=-2)
    assert approve(board, engineer, held.task_id, bound) is State.APPROVED
    [vote] = issue_page.issue(board.desk, LEAD, held.sr_id).works[0].steps[0].votes
    assert (vote.person, vote.principal) == ("person:eng", "person:pm")


def test_a_revoked_delegation_and_a_foreign_one_give_nothing(board: Cast) -> None:
    rule(board, "[pm]")
    until = START + timedelta(days=1)
    with pytest.raises(Forbidden):
        delegations.delegate(board.desk, LEAD, "eng", ends=until, principal="pm")
    with pytest.raises(Invalid):
        delegations.delegate(board.desk, PM, "cus", ends=until)
    delegations.delegate(board.desk, ADMIN, "eng", ends=until, principal="pm")
    assert delegations.revoke(board.desk, PM, "eng") == 1
    held, _, bound = board.planned()
    with pytest.raises(Forbidden):
        approve(board, next(p for p in CAST if p.id == "eng"), held.task_id, bound)


def test_the_author_of_a_plan_never_approves_it(board: Cast) -> None:
    held, _, bound = board.planned()
    change(board, held.task_id, bound, other_plan(), LEAD)
    fresh = tasks.plan_hash(held.task_id, other_plan())
    with pytest.raises(Stale):
        approve(board, LEAD2, held.task_id, bound)
    with pytest.raises(Forbidden, match="작성"):
        approve(board, LEAD, held.task_id, fresh)
    assert not issue_list.issues(board.desk, LEAD, issue_list.Query()).waiting
    assert approve(board, LEAD2, held.task_id, fresh) is State.APPROVED


def test_a_changed_plan_voids_what_was_given_and_asks_anew(board: Cast) -> None:
    held, _, bound = board.planned()
    approve(board, LEAD, held.task_id, bound)
    assert change(board, held.task_id, bound, other_plan(), PM) is State.PENDING_APPROVAL
    with board.desk.database.reading() as session:
        states = {(a.plan_hash == bound, a.state) for a in session.scalars(select(Approval))}
    assert states == {(True, "VOID"), (False, "WAITING")}
    with pytest.raises(Stale):
        tasks.start(board.desk, held)
    with pytest.raises(Refused):
        fresh = tasks.plan_hash(held.task_id, other_plan())
        change(board, held.task_id, fresh, plan("READ_ONLY"), PM)


def test_a_stricter_chart_stops_what_was_approved_under_a_milder_one(board: Cast) -> None:
    held, _, bound = board.planned()
    approve(board, LEAD, held.task_id, bound)
    rule(board, "[team_lead, pm]")
    with pytest.raises(Refused):
        tasks.start(board.desk, held)


# Asking for changes --------------------------------------------------------------------------


def test_asking_for_changes_goes_back_to_the_agent_with_the_reason(board: Cast) -> None:
    held, _, bound = board.planned()
    beats.begin(board.desk, "db-agent")
    with pytest.raises(Invalid):
        decisions.ask_changes(board.desk, LEAD, held.task_id, plan_hash=bound, reason=" ")
    state = decisions.ask_changes(
        board.desk, LEAD, held.task_id, plan_hash=bound, reason="업무 시간 뒤에"
    )
    assert state is State.PARSED
    assert "approval_decided" in reasons(board)
    assert view.changes_wanted(board.desk, held.task_id) == "업무 시간 뒤에"
    with pytest.raises(Stale):
        tasks.file_plan(board.desk, held, other_plan())
    with pytest.raises(Stale):
        approve(board, LEAD2, held.task_id, bound)


def test_the_same_plan_filed_again_is_asked_anew(board: Cast) -> None:
    rule(board, "[team_lead, pm]")
    held, filed, bound = board.planned()
    approve(board, LEAD, held.task_id, bound)
    decisions.ask_changes(board.desk, PM, held.task_id, plan_hash=bound, reason="다시")
    again = board.hold("db-agent")
    tasks.file_plan(board.desk, again, filed)
    steps = issue_page.issue(board.desk, LEAD, held.sr_id).works[0].steps
    assert [s.state for s in steps] == ["WAITING", "WAITING"]
    assert approve(board, LEAD, held.task_id, bound) is State.PENDING_APPROVAL
    assert approve(board, PM, held.task_id, bound) is State.APPROVED


# Time ----------------------------------------------------------------------------------------


def test_reminder_then_escalation_then_expiry(board: Cast, clock: Clock) -> None:
    rule(board, "{steps: [team_lead], expires: 4h, remind: 1h, escalate_to: admin}")
    held, _, bound = board.planned()
    assert told(board, "due") == {"lead", "lead2"}
    assert "정다은 팀장" in messages(board)
    assert deadlines.look(board.desk) == 0
    clock.later(hours=1, minutes=1)
    assert deadlines.look(board.desk) == 1
    assert deadlines.look(board.desk) == 0
    assert told(board, "reminder") == {"lead", "lead2"}
    with pytest.raises(Forbidden):
        approve(board, ADMIN, held.task_id, bound)
    clock.later(hours=3)
    assert deadlines.look(board.desk) == 1
    assert told(board, "escalated") == {"lead", "lead2", "adm"}
    assert issue_list.issues(board.desk, ADMIN, issue_list.Query()).waiting
    clock.later(hours=5)
    deadlines.look(board.desk)
    assert view.issue(board.desk, held.sr_id).state is State.MANUAL
    with pytest.raises(Stale):
        approve(board, LEAD, held.task_id, bound)


def test_who_it_escalated_to_can_approve_and_the_work_may_start(board: Cast, clock: Clock) -> None:
    rule(board, "{steps: [team_lead], expires: 1h, escalate_to: admin}")
    held, _, bound = board.planned()
    clock.later(hours=1, minutes=1)
    deadlines.look(board.desk)
    assert approve(board, ADMIN, held.task_id, bound) is State.APPROVED
    tasks.start(board.desk, held)


def test_approved_now_run_when_the_window_opens(board: Cast, clock: Clock) -> None:
    rule(board, '{steps: [team_lead], windows: [{from: "22:00", until: "23:00"}]}')
    held, _, bound = board.planned()
    assert approve(board, LEAD, held.task_id, bound) is State.APPROVED
    work_row = issue_page.issue(board.desk, LEAD, held.sr_id).works[0]
    assert work_row.run_after == datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
    begun = beats.begin(board.desk, "db-agent")
    assert begun is not None and beats.claim(board.desk, begun) is None
    beats.end(board.desk, begun, "idle", task_id=None, steps=0)
    clock.later(hours=10, minutes=1)
    assert deadlines.look(board.desk) == 1
    begun = beats.begin(board.desk, "db-agent")
    assert begun is not None and begun.reasons == ("window_open",)
    hold = beats.claim(board.desk, begun)
    assert hold is not None
    tasks.start(board.desk, hold)


def test_a_freeze_declared_after_the_approval_holds_the_work(board: Cast, clock: Clock) -> None:
    rule(board, "[team_lead]")
    held, _, bound = board.planned()
    approve(board, LEAD, held.task_id, bound)
    rule(board, "[team_lead]", "[{from: 2026-11-20T00:00:00, until: 2026-11-21T00:00:00}]")
    with pytest.raises(Stale):
        tasks.start(board.desk, held)
    assert view.issue(board.desk, held.sr_id).state is State.APPROVED
    with board.desk.database.reading() as session:
        assert session.scalars(select(Task.run_after)).one() is not None
    clock.later(days=1)
    deadlines.look(board.desk)
    tasks.start(board.desk, board.hold("db-agent"))


def test_one_row_that_fails_keeps_no_other_waiting_and_is_alarmed_once(
    board: Cast, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines, "_BATCH", 2)  # the broken ones fill the first look
    rule(board, "{steps: [team_lead], expires: 1h}")
    held = [board.planned()[0] for _ in range(4)]
    clock.later(hours=2)
    with psycopg.connect(board.dsn) as connection:  # no move leads on from there
        connection.execute(
            "update tb_ops_task set status = 'ABORTED' where task_id = any(%s)",
            [[h.task_id for h in held[:2]]],
        )
    assert deadlines.look(board.desk) == 2
    assert [view.issue(board.desk, h.sr_id).state for h in held[2:]] == [State.MANUAL] * 2
    assert deadlines.look(board.desk) == 0
    with board.desk.database.reading() as session:
        alerts = session.scalars(select(Outgoing.text).where(Outgoing.kind == "alert")).all()
    assert len(alerts) == 2


# The seal ------------------------------------------------------------------------------------


def test_a_decision_is_sealed_over_issue_plan_and_the_head_it_follows(board: Cast) -> None:
    held, _, bound = board.planned()
    approve(board, LEAD, held.task_id, bound)
    with board.desk.database.reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.kind == "approved")).one()
        assert log.verify_all(session).intact
    said, detail = entry.detail["statement"], entry.detail
    assert said["plan_hash"] == bound and said["issue"] == held.sr_id
    assert said["chain_head"] == entry.previous_hash
    assert signing_keys.genuine(said, detail["signature"], detail["key"])
    assert detail["key"] == board.desk.seal.public
    for name, value in {"plan_hash": "0" * 64, "person": "pm", "chain_head": "0" * 64}.items():
        assert not signing_keys.genuine({**said, name: value}, detail["signature"], detail["key"])
    assert not signing_keys.genuine(said, detail["signature"], signing.Seal.passing().public)


def test_who_reads_the_record_only_decides_nothing(board: Cast) -> None:
    held, _, bound = board.planned()
    auditor = PersonName(id="aud", name="감사", title="과장", role="auditor")
    for verdict in (decisions.ask_changes, decisions.decide):
        words = {"approve": True} if verdict is decisions.decide else {}
        with pytest.raises(Forbidden):
            verdict(board.desk, auditor, held.task_id, plan_hash=bound, reason="x", **words)  # type: ignore[arg-type]


def test_a_change_that_cannot_be_undone_takes_more(board: Cast) -> None:
    rule(board, "{steps: [team_lead], irreversible: [pm]}")
    hold, _, bound = board.planned(plan())
    assert approve(board, LEAD, hold.task_id, bound) is State.PENDING_APPROVAL
    assert approve(board, PM, hold.task_id, bound) is State.APPROVED


def test_one_that_can_be_undone_does_not(board: Cast) -> None:
    rule(board, "{steps: [team_lead], irreversible: [pm]}")
    hold, _, bound = board.planned(reversible())
    assert approve(board, LEAD, hold.task_id, bound) is State.APPROVED


def test_more_that_the_chart_demands_after_the_approval_still_counts(board: Cast) -> None:
    rule(board, "{steps: [team_lead]}")
    hold, _, bound = board.planned(plan())
    assert approve(board, LEAD, hold.task_id, bound) is State.APPROVED
    rule(board, "{steps: [team_lead], irreversible: [pm]}")
    with pytest.raises(Refused):
        tasks.start(board.desk, board.hold("db-agent"))


def test_a_token_decides_nothing_in_the_name_of_who_delegated(board: Cast) -> None:
    eng = next(p for p in CAST if p.role == "engineer")
    delegations.delegate(board.desk, LEAD, eng.id, begins=None, ends=START + timedelta(days=3))
    hold, _, bound = board.planned(plan())
    limited = eng.model_copy(update={"only": frozenset({"plan.read"})})
    with pytest.raises(Forbidden):
        approve(board, limited, hold.task_id, bound)
    assert approve(board, eng, hold.task_id, bound) is State.APPROVED
