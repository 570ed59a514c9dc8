"""An issue that ended otherwise than its document says becomes a version that people review."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from board_env import ENGINEER, LEAD, BoardEnv
from document_env import PLAIN, DocumentEnv
from page_env import PageClient
from sqlalchemy import select

from guardia import knowledge
from guardia.board.control import directives
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core.actors import Actor
from guardia.board.issues import comments
from guardia.board.knowledge import (
    change_proposals,
    change_view,
    findings,
    review,
    runbooks,
    usage,
    view,
)
from guardia.board.knowledge.change_text import IssueLesson, changed
from guardia.board.knowledge.model import DocumentChange, Passage
from guardia.board.knowledge.solved_issues import SolvedIssue
from guardia.org.directory import PersonInfo

pytestmark = pytest.mark.slow

RUNBOOKS = Path(knowledge.__file__).parent / "runbooks"
FRONT = "---\nowner: was\n---\n"
TEXT = f"{FRONT}# 점검\n\n머리말\n\n## 재기동\n\n재기동합니다.\n\n## 기록\n\n적습니다.\n"
OTHERWISE = SolvedIssue(7, "느림", "느립니다", ("# 캐시 비움",), "정상", "MOF", "a")

OUTSIDER = PersonInfo(id="x", name="남", title="", role="customer", institution="MOE")


@pytest.fixture
def docs(env: BoardEnv, tmp_path: Path) -> DocumentEnv:
    return DocumentEnv(env.board, tmp_path / "store")


def cite(env: BoardEnv, number: int, ordinal: int, verb: str = "complete") -> int:
    """Cite a passage for an issue that people end by hand; return its number."""
    claim = env.create_parsed_task()
    with env.board.database.reading() as session:
        version = view.get_document(env.board, LEAD, number).published_id
        query = select(Passage.passage_id).where(
            Passage.version_id == version, Passage.ordinal == ordinal
        )
        passage = session.scalars(query).one()
    usage.cite(env.board, claim.sr_id, [passage])
    comments.add_comment(env.board, claim.sr_id, Actor.of(ENGINEER), "캐시를 비움 900101-1234567")
    for one in ("manual", verb):
        directives.issue_directive(
            env.board, LEAD, claim.task_id, DirectiveRequest(one, "캐시를 비워 해결")
        )
    return claim.sr_id


def propose(docs: DocumentEnv) -> None:
    usage.settle_citations(docs.board)
    for _ in range(2):  # the second finds nothing to do
        change_proposals.propose_due(docs.board, docs.store)
    docs.read()


def test_what_people_did_otherwise_is_proposed_published_and_not_repeated(
    env: BoardEnv, docs: DocumentEnv
) -> None:
    number = docs.published(TEXT)
    sr_id = cite(env, number, 2)
    propose(docs)
    found = view.get_document(env.board, LEAD, number)
    assert (found.published, found.line.version, found.line.waiting) == (1, 2, True)
    assert found.versions[0].author_id.startswith("agent:")
    lines = view.difference(env.board, LEAD, number, 1, 2)
    added = "\n".join(text for mark, text in lines if mark == "+")
    assert f"/issues/{sr_id}" in added and "캐시를 비워 해결" in added and "1234567" not in added
    assert not [text for mark, text in lines if mark == "-"]
    body = view.body_of(env.board, LEAD, number, 2)
    assert body.index("재기동합니다") < body.index("캐시를 비워") < body.index("적습니다")
    sources = change_view.sources_of(env.board, LEAD, number, 2)
    assert [(one.sr_id, one.reason) for one in sources] == [(sr_id, "otherwise")]
    assert not change_view.sources_of(env.board, OUTSIDER, number, 2)
    review.publish(env.board, LEAD, number, 2)
    propose(docs)
    assert view.get_document(env.board, ENGINEER, number).published == 2
    assert view.get_document(env.board, LEAD, number).line.version == 2


def test_the_reviewer_sees_the_issue_and_the_difference(
    docs: DocumentEnv, web_env: BoardEnv, sign_in_as: Callable[[str], PageClient]
) -> None:
    number = docs.published(TEXT)
    sr_id = cite(web_env, number, 2)
    propose(docs)
    browser = sign_in_as("lead")
    page = browser.get_page(f"/documents/{number}?version=2").text
    assert f'<a href="/issues/{sr_id}">' in page and "문서와 다르게 해결" in page
    assert "<ins>" in page and "캐시를 비워 해결" in page
    shown = browser.get(f"/api/v3/documents/{number}?version=2").json()
    assert [one["issue"] for one in shown["sources"]] == [sr_id]
    assert "<ins>" not in browser.get_page(f"/documents/{number}").text


def test_a_rejected_change_does_not_come_again_and_one_of_an_older_text_is_made_anew(
    env: BoardEnv, docs: DocumentEnv
) -> None:
    number = docs.published(TEXT)
    cite(env, number, 2)
    propose(docs)
    edited = docs.version(number, TEXT + "\n새 문장\n")
    docs.submit(number, edited)
    review.publish(env.board, LEAD, number, edited)
    with docs.board.database.reading() as session:
        assert session.scalars(select(DocumentChange.settled_at)).one() is None
    propose(docs)
    found = view.get_document(env.board, LEAD, number)
    assert [one.review for one in found.versions] == [
        "IN_REVIEW",
        "PUBLISHED",
        "SUPERSEDED",
        "SUPERSEDED",
    ]
    assert "새 문장" in view.body_of(env.board, LEAD, number, 4)
    review.reject(env.board, LEAD, number, 4, "문서와 같은 방법임")
    propose(docs)
    assert view.get_document(env.board, LEAD, number).line.version == 4


def test_what_other_customers_would_read_is_not_told(env: BoardEnv, docs: DocumentEnv) -> None:
    for_all = docs.published(TEXT, details=replace(PLAIN, audience="all"))
    other = docs.published(TEXT, details=replace(PLAIN, institution="MOF", audience="institution"))
    for number in (for_all, other):
        cite(env, number, 2)
    aborted = cite(env, other, 2, "abort")
    propose(docs)
    assert view.get_document(env.board, LEAD, for_all).line.version == 1
    assert view.get_document(env.board, LEAD, other).line.version == 2
    assert f"/issues/{aborted}" not in view.body_of(env.board, LEAD, other, 2)


def test_a_failed_runbook_is_proposed_with_why(
    env: BoardEnv, docs: DocumentEnv, database: Any
) -> None:
    shipped = (RUNBOOKS / "disk-log-full.md").read_bytes()
    number, _ = runbooks.add_runbook(
        env.board, docs.store, ENGINEER, "disk-log-full", "디스크", shipped
    ) or (0, 0)
    docs.read()
    review.publish(env.board, LEAD, number, 1)
    sr_id = env.create_issue()
    with psycopg.connect(database.superuser) as connection:
        connection.execute("set session_replication_role = replica")  # past the lifecycle
        connection.execute(
            "update tb_sr_request set status = 'FAILED_ROLLBACK', closed_at = now()"
            " where sr_id = %s",
            (sr_id,),
        )
        connection.execute(
            "insert into tb_note (agent_id, kind, server, runbook, outcome, body, sr_id,"
            " written_by, created_at, updated_at) values"
            " ('db-agent', 'lesson', 'MOF-DB-01', 'disk-log-full', 'failed', '', %s, 'a', now(),"
            " now() + interval '1 second')",
            (sr_id,),
        )
    comments.add_comment(env.board, sr_id, Actor.of(ENGINEER), "상태 확인이 통과하지 않았음")
    findings.look(env.board)
    propose(docs)
    assert view.get_document(env.board, LEAD, number, 2).shown.reading == "READ"
    proposed = docs.store.path(view.content_of(env.board, LEAD, number, 2)[1]).read_bytes()
    assert proposed.startswith(shipped.rstrip())  # its rules are untouched
    assert "통과하지 않았음" in proposed.decode() and f"(/issues/{sr_id})" in proposed.decode()


@pytest.mark.parametrize(
    ("path", "before", "heading"),
    [
        (("점검", "재기동"), "## 기록", "### "),
        (("점검",), "", "## "),
        (("없는 제목",), "", "## "),
        ((), "", "## "),
    ],
)
def test_the_section_goes_to_the_end_of_what_was_cited(
    path: tuple[str, ...], before: str, heading: str
) -> None:
    fenced = TEXT.replace("재기동합니다.", "재기동합니다.\n\n```\n## 기록\n```")
    lines = changed(fenced, [IssueLesson(OTHERWISE, "otherwise", path)]).splitlines()
    added = [at for at, line in enumerate(lines) if line.startswith("#") and "SR-" in line]
    assert len(added) == 1 and lines[added[0]].startswith(heading)
    rest = [line for line in lines[added[0] + 1 :] if line.startswith("#")]
    assert rest == ([before] if before else [])
    assert lines[:3] == ["---", "owner: was", "---"] and "> # 캐시 비움" in lines
