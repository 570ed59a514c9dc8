from __future__ import annotations

from dataclasses import replace

import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, BoardEnv
from sqlalchemy import select

from guardia.board.audit.model import AuditEntry
from guardia.board.control import directives
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core.actors import Actor
from guardia.board.core.claims import Claim
from guardia.board.core.model import Task
from guardia.board.organization import agent_memory, chart, handover
from guardia.board.organization.agent_memory import WORKING_MEMORY_LIMIT, RunbookOutcome
from guardia.board.organization.note_model import Note, NoteVersion
from guardia.board.runs import beats
from guardia.errors import Forbidden, Invalid, NotFound, Stale
from guardia.org import chart_edit, revisions

WORKED = RunbookOutcome("db-lock-chain", "worked", "MOF-DB-01에서 '잠금' 절차로 해결했습니다.")


def history(env: BoardEnv, note_id: int) -> list[tuple[str, str, bool]]:
    with env.board.database.reading() as session:
        query = select(NoteVersion).where(NoteVersion.note_id == note_id)
        found = session.scalars(query.order_by(NoteVersion.version))
        return [(v.written_by, v.body, v.active) for v in found]


def recorded(env: BoardEnv, *kinds: str) -> list[str]:
    with env.board.database.reading() as session:
        query = select(AuditEntry.kind).where(AuditEntry.kind.in_(kinds))
        return list(session.scalars(query.order_by(AuditEntry.seq)))


def again(env: BoardEnv, held: Claim) -> Claim:
    """Claim the same task again."""
    begun = beats.RunContext(held.run_id, held.agent_id, (), (), None)  # type: ignore[arg-type]
    found = beats.claim_task(env.board, begun)
    assert found is not None
    return found


def test_an_agent_recalls_its_notes_and_hand_over_notes(env: BoardEnv) -> None:
    held = env.create_parsed_task()
    recalled = agent_memory.recall(env.board, held).working
    assert "디스패처 배정" in recalled and "성능 저하" in recalled
    agent_memory.write(env.board, held, "세션 7이 막고 있음\n\n", [WORKED])
    agent_memory.write(env.board, held, "세션 7이 막고 있음", [WORKED])
    known = agent_memory.recall(env.board, held)
    assert known.working.splitlines()[-1] == "세션 7이 막고 있음"
    assert known.working.count("세션 7") == 1
    (lesson,) = known.lessons
    assert (lesson.runbook, lesson.outcome, lesson.sr_id) == (
        "db-lock-chain",
        "worked",
        held.sr_id,
    )
    assert recorded(env, "lesson_learned") == ["lesson_learned"]
    agent_memory.write(env.board, held, "가" * 2 * WORKING_MEMORY_LIMIT)
    assert len(agent_memory.recall(env.board, held).working) == WORKING_MEMORY_LIMIT


def test_a_stale_claim_cannot_write_notes(env: BoardEnv) -> None:
    held = env.create_parsed_task()
    newer = again(env, held)
    for lost in (held, replace(newer, run_id=newer.run_id + 1)):
        with pytest.raises(Stale):
            agent_memory.write(env.board, lost, "늦은 메모", [WORKED])
    assert "늦은" not in agent_memory.recall(env.board, newer).working
    assert not agent_memory.recall(env.board, newer).lessons


def test_lessons_of_other_servers_or_struck_out_are_not_recalled(env: BoardEnv) -> None:
    held = env.create_parsed_task()
    agent_memory.write(env.board, held, "끝", [WORKED])
    general = agent_memory.add_lesson(env.board, ENGINEER, "db-agent", "월말에는 배치를 먼저 본다")
    (lesson, *_) = [n for n in agent_memory.recall(env.board, held).lessons if n.server]
    agent_memory.set_note_active(
        env.board, LEAD, "db-agent", lesson.note_id, version=1, active=False
    )
    assert [n.note_id for n in agent_memory.recall(env.board, held).lessons] == [general]
    agent_memory.set_note_active(
        env.board, LEAD, "db-agent", lesson.note_id, version=2, active=True
    )
    with env.board.database.transaction() as session:
        session.get_one(Task, held.task_id).target_server = "MOF-WAS-01"
    assert [n.note_id for n in agent_memory.recall(env.board, held).lessons] == [general]
    kinds = ["lesson_learned", "note_written", "note_struck", "note_restored"]
    assert recorded(env, *kinds) == kinds


def test_edits_keep_history_and_the_second_of_two_is_stale(env: BoardEnv) -> None:
    note = agent_memory.add_lesson(env.board, ENGINEER, "db-agent", " 처음 \x07")
    agent_memory.edit(env.board, LEAD, "db-agent", note, version=1, body="다음")
    with pytest.raises(Stale):
        agent_memory.edit(env.board, ENGINEER, "db-agent", note, version=1, body="늦음")
    assert history(env, note) == [("person:eng", "처음", True), ("person:lead", "다음", True)]
    with pytest.raises(Invalid):
        agent_memory.edit(env.board, LEAD, "db-agent", note, version=2, body=" ")
    with pytest.raises(NotFound):
        agent_memory.edit(env.board, LEAD, "was-agent", note, version=2, body="남의 것")
    with pytest.raises(NotFound):
        agent_memory.add_lesson(env.board, LEAD, "no-such", "아무도")
    with pytest.raises(Forbidden):
        agent_memory.add_lesson(env.board, CUSTOMER, "db-agent", "고객")


def test_a_reassigned_issue_keeps_its_note(env: BoardEnv) -> None:
    held = env.create_parsed_task()
    agent_memory.write(env.board, held, "세션 7이 막고 있음")
    directives.issue_directive(
        env.board, LEAD, held.task_id, DirectiveRequest("reassign", "휴가", "was-agent")
    )
    with env.board.database.reading() as session:
        query = select(Note).where(Note.agent_id == "was-agent", Note.sr_id == held.sr_id)
        note = session.scalars(query).one()
    assert "세션 7이 막고 있음" in note.body and "휴가" in note.body
    assert note.written_by == "person:lead"


def test_a_leaving_agent_leaves_its_notes_to_the_successor(env: BoardEnv) -> None:
    held = env.create_parsed_task()
    agent_memory.write(env.board, held, "세션 7이 막고 있음")
    with env.board.database.reading() as session:
        text = revisions.chart_text(session, revisions.latest(session) or 0)
    chart.apply_chart(env.board, chart_edit.fire(text, "db-agent"), Actor.operator("test"))
    inherited = again(env, replace(held, agent_id="dispatcher"))
    assert "세션 7이 막고 있음" in agent_memory.recall(env.board, inherited).working
    handover.forward_task(env.board, inherited, "was-agent")
    kept = again(env, replace(held, agent_id="was-agent"))
    assert "세션 7이 막고 있음" in agent_memory.recall(env.board, kept).working
