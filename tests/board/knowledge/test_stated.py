"""What documents state takes effect when a person accepts it, and never comes again if refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, OFFICER, BoardEnv
from document_env import PLAIN, DocumentEnv
from page_env import PageClient
from sqlalchemy import delete, select, update

from guardia.board.audit.model import AuditEntry
from guardia.board.core.keyset import Keyset
from guardia.board.knowledge import records, review, stated, stated_view
from guardia.board.knowledge.model import Document, StatedRow
from guardia.board.site_rules import view as rules
from guardia.errors import Forbidden, Invalid, NotFound, Refused, Stale
from guardia.org import registry
from guardia.org.directory import PersonInfo
from guardia.org.model import Institution, Server

pytestmark = pytest.mark.slow

TEXT = (
    "# 지침\n\n업무 시간에는 재기동을 금지합니다. 매월 25일부터 말일까지 배포 금지.\n\n"
    "MOF-DB-01의 포트는 5433입니다.\n"
)
HERE = replace(PLAIN, institution="MOF")


@pytest.fixture
def docs(env: BoardEnv, tmp_path: Path) -> DocumentEnv:
    return DocumentEnv(env.board, tmp_path / "store")


def waiting(docs: DocumentEnv, person: PersonInfo) -> dict[str, int]:
    found = stated_view.list_stated(docs.board, person, Keyset()).rows
    return {one.kind: one.sentence_id for one in found}


def kinds(docs: DocumentEnv) -> list[str]:
    with docs.board.database.reading() as session:
        query = select(AuditEntry.kind).where(
            AuditEntry.kind.startswith("statement_") | AuditEntry.kind.in_(["rule_added"])
        )
        return list(session.scalars(query.order_by(AuditEntry.seq)))


def test_an_accepted_rule_binds_and_a_refused_one_stays_away(docs: DocumentEnv) -> None:
    number = docs.published(TEXT, details=HERE)
    found = waiting(docs, LEAD)
    assert found.keys() == {"never", "freeze"}
    with pytest.raises(Invalid):
        stated.accept(docs.board, LEAD, found["freeze"], {"name": "Nicht gut"})
    result = stated.accept(docs.board, LEAD, found["freeze"], {"name": "month-end"})
    rule = rules.rule_history(docs.board, LEAD, "month-end").current
    assert result == "rule:month-end" and rule is not None and rule.reason.startswith("문서 1번")
    assert rule.rule is not None and rule.rule.scope.institution == "MOF"
    stated.refuse(docs.board, LEAD, found["never"], "다른 규칙이 있음")
    assert kinds(docs) == ["rule_added", "statement_accepted", "statement_refused"]
    for one in found.values():
        with pytest.raises(Refused, match="이미 처리"):
            stated.refuse(docs.board, LEAD, one)
    docs.published(TEXT.replace("지침", "다른 지침"), details=HERE)
    version = docs.version(number, TEXT + "\n끝\n")
    docs.submit(number, version)
    review.publish(docs.board, LEAD, number, version)
    assert waiting(docs, LEAD) == {}
    kept = stated_view.list_stated(docs.board, LEAD, Keyset(), "ACCEPTED").rows
    assert [(one.decided_by, one.result) for one in kept] == [("정다은 팀장", "rule:month-end")]


def test_an_accepted_fact_changes_the_server_once(docs: DocumentEnv) -> None:
    with docs.board.database.transaction() as session:
        row = session.get_one(Server, "MOF-DB-01")
        row.address, row.account, row.credential = "10.1.2.3", "guardia", "mof-db"
    docs.published(TEXT, details=HERE)
    docs.published(TEXT + "\n둘째\n", details=HERE)
    found = stated_view.list_stated(docs.board, ENGINEER, Keyset()).rows
    assert [one.fields["before"] for one in found] == ["5432", "5432"]
    assert stated.accept(docs.board, ENGINEER, found[0].sentence_id, {}) == "server:MOF-DB-01"
    with docs.board.database.reading() as session:
        assert registry.host(session, "MOF-DB-01").services[0].port == 5433
    assert waiting(docs, ENGINEER) == {}
    with pytest.raises(NotFound):
        stated.accept(docs.board, ENGINEER, found[1].sentence_id, {})


def test_only_who_may_enter_it_and_read_the_document_decides(docs: DocumentEnv) -> None:
    number = docs.published(TEXT, details=replace(HERE, roles=("engineer", "team_lead")))
    fact, rule = waiting(docs, ENGINEER)["fact"], waiting(docs, LEAD)["never"]
    for person, one in ((LEAD, fact), (ENGINEER, rule)):
        with pytest.raises(Forbidden):
            stated.accept(docs.board, person, one, {"name": "a"})
    for stranger in (CUSTOMER, OFFICER):
        assert waiting(docs, stranger) == {}
        with pytest.raises(NotFound):
            stated.refuse(docs.board, stranger, rule)
    with docs.board.database.transaction() as session:
        row = session.get_one(StatedRow, fact)
        row.fields = {**row.fields, "service": "gone"}
    with pytest.raises(Stale):
        stated.accept(docs.board, ENGINEER, fact, {})
    records.expire(docs.board, LEAD, number)
    assert waiting(docs, LEAD) == {}


def test_a_document_speaks_of_its_own_institution_and_only_once_published(
    docs: DocumentEnv,
) -> None:
    with docs.board.database.transaction() as session:
        session.add(Institution(inst_id="MOE", inst_name="교육부"))
    docs.published(TEXT, details=replace(PLAIN, institution="MOE"))
    assert waiting(docs, ENGINEER) == {}
    docs.add(TEXT, details=HERE, submit=True)
    docs.read()
    assert waiting(docs, ENGINEER) == {}
    review.publish(docs.board, LEAD, 2, 1)
    with docs.board.database.transaction() as session:
        session.execute(delete(StatedRow))
        session.execute(update(Document).values(stated_id=None))
    for _ in range(2):
        stated.read_due(docs.board)
    assert len(stated_view.list_stated(docs.board, ENGINEER, Keyset()).rows) == 1


def test_a_rule_is_entered_on_its_page(
    docs: DocumentEnv, web_env: BoardEnv, sign_in_as: Callable[[str], PageClient]
) -> None:
    docs.published(TEXT, details=HERE)
    one = waiting(docs, LEAD)["never"]
    browser, path = sign_in_as("lead"), f"/documents/stated/{one}"
    assert "업무 시간에는 재기동" in browser.get("/documents/1").text
    assert f'href="{path}"' in browser.get("/documents/stated").text
    page = browser.get(path).text
    assert "문서 1번 1판" in page and 'value="service.restart"' in page
    refused = browser.submit_form(f"{path}/accept", path, name="Ä", reason="이유")
    assert refused.status_code == 422 and "이유" in refused.text and "업무 시간" in refused.text
    answer = browser.submit_form(f"{path}/accept", path, name="no-restart", reason="이유")
    assert answer.headers["location"] == "/rules/no-restart"
    assert "등록함" in browser.get(path).text
    assert sign_in_as("cus").get(path).status_code in (403, 404)
