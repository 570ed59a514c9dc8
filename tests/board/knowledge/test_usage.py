"""Uses are counted per passage and document; feedback and failures mark what needs an update."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, BoardEnv
from search_env import CERTIFICATE, DISK, change, publish

from guardia.board.knowledge import findings, ratings, usage, use_view
from guardia.board.knowledge.use_view import SearchTotals, Uses
from guardia.board.search import questions, retention
from guardia.board.search.questions import FoundAnswer, FoundPassage
from guardia.errors import Missing, NotFound, Unserved
from guardia.org.directory import PersonInfo

OUTSIDER = PersonInfo(id="cus2", name="남", title="", role="customer", institution="MOE")


def run(env: BoardEnv, statement: str, *values: object) -> None:
    with psycopg.connect(env.dsn) as connection:
        connection.execute(statement, values)


def uses(env: BoardEnv, number: int) -> Uses:
    return use_view.uses_of(env.board, number, [], None).uses


def stale(env: BoardEnv) -> dict[int, tuple[str, ...]]:
    with env.board.database.reading() as session:
        now = env.board.current_time()
        found = use_view.stale(session, ENGINEER, now, 10)
        assert use_view.count_stale(session, ENGINEER, now) == len(found)
        return {one.number: one.reasons for one in found}


def test_answers_and_citations_are_counted_once(env: BoardEnv, database: Any) -> None:
    first, second = publish(env, *CERTIFICATE), publish(env, *DISK)
    for fits in (True, False):
        number = questions.ask(env.board, ENGINEER, "인증서")
        found = FoundAnswer((FoundPassage(1, 1.0, ()), FoundPassage(2, 0.5, ())), fits, 1.0)
        questions.answer(env.board, number, found)
        questions.answer(env.board, number, found)
    solved, failed, ended = (env.create_issue() for _ in range(3))
    for sr_id in (solved, failed, ended, solved):
        usage.cite(env.board, sr_id, [1])
    usage.cite(env.board, env.create_issue(), [])
    assert uses(env, first) == Uses(found=1, cited=3)
    with psycopg.connect(database.superuser) as connection:
        connection.execute("set session_replication_role = replica")  # past the lifecycle
        states = {solved: "COMPLETED", failed: "FAILED_ROLLBACK", ended: "ABORTED"}
        for sr_id, status in states.items():
            connection.execute(
                "update tb_sr_request set closed_at = now(), status = %s where sr_id = %s",
                (status, sr_id),
            )
    for _ in range(2):
        usage.settle_citations(env.board)
    assert uses(env, first) == Uses(found=1, cited=3, helped=1, unhelped=1)
    assert uses(env, second) == Uses(found=1)
    with env.board.database.reading() as session:
        counted = use_view.answers(session, env.board.current_time().date() - timedelta(days=1))
        assert counted == {"person": SearchTotals(1, 1), "agent": SearchTotals(4, 1)}
        now = env.board.current_time()
        assert [one.number for one in use_view.most_used(session, LEAD, now, 5)] == [first]
        assert use_view.unused(session, LEAD, now, 5) == []


def test_a_person_has_one_verdict_and_wrong_needs_a_reason(env: BoardEnv) -> None:
    number = publish(env, *CERTIFICATE)
    ratings.rate(env.board, CUSTOMER, number, 1, "helped")
    ratings.rate(env.board, CUSTOMER, number, 1, "helped")
    assert uses(env, number) == Uses(helped=1)
    with pytest.raises(Missing):
        ratings.rate(env.board, CUSTOMER, number, 1, "wrong", " ")
    ratings.rate(env.board, CUSTOMER, number, 1, "wrong", "명령이 다릅니다")
    assert uses(env, number) == Uses(unhelped=1)
    assert stale(env) == {number: ("wrong",)}
    ratings.rate(env.board, CUSTOMER, number, 1, "helped")
    assert stale(env) == {} and uses(env, number) == Uses(helped=1)
    change(env, number, audience="institution", inst_id="MOF")
    for refused, ordinal in ((OUTSIDER, 1), (CUSTOMER, 99)):
        with pytest.raises(NotFound):
            ratings.rate(env.board, refused, number, ordinal, "helped")


def test_each_reason_marks_the_published_version_only(env: BoardEnv) -> None:
    runbook = publish(env, *DISK, kind="runbook", runbook_id="disk-full")
    server = publish(env, "점검", "Rocky Linux 8.6에서 확인합니다.", server_id="MOF-DB-01")
    expired = publish(env, *CERTIFICATE, expires_at=env.board.clock() - timedelta(days=1))
    run(
        env,
        "update tb_document_version set reviewed_at = now() - interval '1 hour',"
        " body = 'Rocky Linux 8.6'",
    )
    for outcome, place in (("failed", "MOF-DB-01"), ("unfit", "MOF-WAS-01"), ("worked", "X")):
        run(
            env,
            "insert into tb_note (agent_id, kind, server, runbook, outcome, body, written_by,"
            " created_at, updated_at) values ('db-agent', 'lesson', %s, 'disk-full', %s, '', 'a',"
            " now(), now())",
            *(place, outcome),
        )
    run(
        env,
        'update tb_server_info set facts = facts || \'{"os": "rocky", "os_version": "9.4"}\''
        " where server_id = 'MOF-DB-01'",
    )
    for _ in range(2):
        findings.look(env.board)
    assert stale(env) == {
        runbook: ("verification", "found_nothing"),
        server: ("server_version",),
        expired: ("expired",),
    }
    run(
        env,
        'update tb_server_info set facts = facts || \'{"os_version": "8.6"}\''
        " where server_id = 'MOF-DB-01'",
    )
    findings.look(env.board)
    assert server not in stale(env)  # the server is what the document says again
    run(env, "update tb_document set published_id = 0 where document_id = %s", runbook)
    assert runbook not in stale(env)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("Rocky Linux 8.6에서", "8.6"),
        ("rocky 8 서버", "8"),
        ("Rocky Linux 9에서", ""),
        ("Rocky Linux 9.4", ""),
        ("예전 Rocky 8.6, 지금은 Rocky 9.4", ""),
        ("Rocky 서버 3대", ""),
        ("Rocky 3대", ""),
        ("bedrocky 7.1", ""),
        ("버전 이야기가 없음", ""),
    ],
)
def test_a_version_differs_only_if_no_mention_agrees(text: str, other: str) -> None:
    assert findings.differing(text, "rocky", "9.4") == other


@pytest.mark.parametrize(
    ("text", "software", "actual", "other"),
    [
        ("nginx 1.18에서", "nginx", "1.24.0", "1.18"),
        ("nginx 1.24를 씁니다", "nginx", "1.24.0", ""),
        ("nginx 80, 443 포트", "nginx", "1.24.0", ""),
        ("nginx 8080 사용", "nginx", "1.24.0", ""),
        ("PostgreSQL 14 기준", "postgresql", "16.2", "14"),
        ("Java 1.8에서", "java", "8.0", ""),
        ("JDK 11", "java", "17.0.9", "11"),
        ("Apache 2.0 라이선스", "apache", "2.4.58", ""),
        ("Apache Tomcat 9.0", "apache", "2.4.58", ""),
        ("아파치 2.2", "apache", "2.4.58", "2.2"),
    ],
)
def test_the_version_of_a_service_is_compared(
    text: str, software: str, actual: str, other: str
) -> None:
    ((pattern, version),) = findings.versions_of({"versions": [[software, actual]]}).items()
    assert version == actual and findings.differing(text, pattern, version) == other


def test_questions_are_bounded_and_end(env: BoardEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [questions.ask(env.board, ENGINEER, f"질문 {n}") for n in range(20)]
    with pytest.raises(Unserved):
        questions.ask(env.board, ENGINEER, "하나 더")
    questions.ask(env.board, LEAD, "다른 사람")
    questions.take(env.board)
    run(env, "update tb_document_question set asked_at = now() - interval '10 minutes'")
    retention.fail_lost(env.board)
    questions.ask(env.board, ENGINEER, "이제 가능")
    run(
        env,
        "update tb_document_question set asked_at = now() - interval '91 days'"
        " where question_id = %s",
        numbers[3],
    )
    monkeypatch.setattr(retention, "MOST_QUESTIONS", 5)
    retention.delete_old(env.board)
    with psycopg.connect(env.dsn) as connection:
        row = connection.execute(
            "select count(*) filter (where person_id = 'eng'), count(*) from tb_document_question"
        ).fetchone()
    assert row == (5, 6)
