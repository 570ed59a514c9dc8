"""Agents follow the published version of a runbook, and the file in any doubt."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from board_env import ENGINEER, LEAD
from document_env import DocumentEnv
from sqlalchemy import update

from guardia.board.knowledge import records, review, runbooks, view
from guardia.board.knowledge.model import Document, DocumentVersion
from guardia.errors import Refused
from guardia.heartbeat import runbook_checks
from guardia.heartbeat.runbook_library import ReviewedRunbooks
from guardia.knowledge.library import Library
from guardia.knowledge.runbook import shipped

NAME = "disk-log-full"
TEXT = (files("guardia.knowledge") / "runbooks" / f"{NAME}.md").read_text("utf-8")
EDITED = TEXT.replace("title: 로그 볼륨 정리", "title: 로그 볼륨 정리(우리 기관)")
SHIPPED = Library.shipped()


@pytest.fixture
def docs(env: Any, tmp_path: Path) -> DocumentEnv:
    return DocumentEnv(env.board, tmp_path / "store")


@pytest.fixture
def current(docs: DocumentEnv) -> ReviewedRunbooks:
    return ReviewedRunbooks(docs.board, docs.store, SHIPPED)


def taken_over(docs: DocumentEnv) -> int:
    found = runbooks.add_runbook(
        docs.board, docs.store, ENGINEER, NAME, "로그 볼륨 정리", TEXT.encode()
    )
    assert found is not None
    docs.read()
    review.publish(docs.board, LEAD, found[0], 1)
    return found[0]


def edited(docs: DocumentEnv, number: int, text: str) -> int:
    return docs.version(number, text, name=f"{NAME}.md")


def test_the_shipped_runbooks_pass_the_checks_of_edited_ones() -> None:
    assert {one.id: found for one in shipped() if (found := runbook_checks.problems(one))} == {}


@pytest.mark.slow
def test_a_published_edit_is_followed_and_begun_work_keeps_its_version(
    docs: DocumentEnv, current: ReviewedRunbooks
) -> None:
    assert current() is SHIPPED
    number = taken_over(docs)
    assert current() is SHIPPED
    again = runbooks.add_runbook(docs.board, docs.store, ENGINEER, NAME, "x", TEXT.encode())
    assert again is None
    version = edited(docs, number, EDITED)
    assert current().runbook(NAME).title == "로그 볼륨 정리"
    docs.submit(number, version)
    review.publish(docs.board, LEAD, number, version)
    library = current()
    assert library.runbook(NAME).title == "로그 볼륨 정리(우리 기관)"
    assert library.find("로그 볼륨이 꽉 찼다", limit=1)[0].runbook.title.endswith("(우리 기관)")
    before = SHIPPED.runbook(NAME)
    assert library.runbook(NAME, before.sha256) == before
    assert current() is library
    records.remove(docs.board, LEAD, number)
    assert current() is SHIPPED


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "why"),
    [
        (EDITED.replace(f"id: {NAME}", "id: other-name"), "other-name"),
        (EDITED.replace("tool: disk.usage", "tool: disk.wipe", 1), "disk.wipe"),
        (EDITED.replace("tool: disk.usage", "tool: disk.archive", 1), "disk.archive"),
        (EDITED.replace("conclude: hand_over", "conclude: reboot", 1), "conclude"),
        (EDITED.replace("when: ", "when: '!!python/object/apply:os.system [id]' #", 1), ""),
        ("# 머리말이 없는 글\n", "머리말"),
        (EDITED.partition("\n## ")[0], ""),
    ],
)
def test_an_invalid_runbook_is_never_published(
    docs: DocumentEnv, current: ReviewedRunbooks, text: str, why: str
) -> None:
    number = taken_over(docs)
    version = edited(docs, number, text)
    found = view.get_document(docs.board, ENGINEER, number, version).shown
    assert found.reading == "UNREADABLE" and why in found.problem
    with pytest.raises(Refused):
        docs.submit(number, version)
    assert current().runbook(NAME) == SHIPPED.runbook(NAME)


def test_what_was_written_past_the_board_is_not_followed(
    docs: DocumentEnv, current: ReviewedRunbooks
) -> None:
    number = taken_over(docs)
    version = edited(docs, number, EDITED)
    with docs.board.database.transaction() as session:
        row = session.query(DocumentVersion).filter_by(document_id=number, number=version).one()
        row.review = "PUBLISHED"
        session.execute(
            update(Document)
            .where(Document.document_id == number)
            .values(published_id=row.version_id)
        )
    assert current().runbook(NAME) == SHIPPED.runbook(NAME)


def test_a_changed_content_is_not_followed(docs: DocumentEnv, current: ReviewedRunbooks) -> None:
    number = taken_over(docs)
    version = edited(docs, number, EDITED)
    docs.submit(number, version)
    review.publish(docs.board, LEAD, number, version)
    digest = view.content_of(docs.board, LEAD, number, version)[1]
    docs.store.path(digest).write_text(EDITED.replace("우리 기관", "남의 기관"), "utf-8")
    assert current().runbook(NAME) == SHIPPED.runbook(NAME)
