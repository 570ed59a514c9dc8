"""Documents: versions, review, rights and what is recorded."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, OFFICER, PM
from document_env import PLAIN, DocumentEnv
from page_env import recorded_statements
from sqlalchemy import select

from guardia.board.audit.model import AuditEntry
from guardia.board.core.keyset import Keyset
from guardia.board.knowledge import records, review, review_view, view
from guardia.board.knowledge.model import Document, Passage
from guardia.board.knowledge.policy import DocumentDetails
from guardia.board.knowledge.rights import in_force, readable_by, usable_for
from guardia.board.knowledge.view import DocumentFilter
from guardia.errors import Forbidden, Invalid, Missing, NotFound, Refused, Stale
from guardia.org.directory import PersonInfo

OUTSIDER = PersonInfo(id="cus9", name="서지호", title="사무관", role="customer", institution="MOE")
TEXT = "# 점검\n\n서버를 점검합니다.\n"


@pytest.fixture
def docs(env: Any, tmp_path: Path) -> DocumentEnv:
    return DocumentEnv(env.board, tmp_path / "store")


@pytest.mark.slow
def test_a_version_is_read_reviewed_by_another_person_and_published(docs: DocumentEnv) -> None:
    number = docs.add(TEXT, submit=True)
    with pytest.raises(Refused, match="읽는 중"):
        review.publish(docs.board, LEAD, number, 1)
    docs.read()
    with pytest.raises(Forbidden):
        review.publish(docs.board, ENGINEER, number, 1)
    review.publish(docs.board, LEAD, number, 1, "확인")
    found = view.get_document(docs.board, ENGINEER, number)
    assert (found.line.state, found.published, found.shown.review) == ("PUBLISHED", 1, "PUBLISHED")
    assert [(p.heading_path, p.text) for p in found.passages] == [(("점검",), "서버를 점검합니다.")]
    with docs.board.database.reading() as session:
        query = select(AuditEntry.kind).where(AuditEntry.kind.startswith("document_"))
        kinds = list(session.scalars(query.order_by(AuditEntry.seq)))
    assert kinds == ["document_added", "document_published"]


def test_nobody_publishes_the_own_version(docs: DocumentEnv) -> None:
    number = docs.add(TEXT, person=LEAD, submit=True)
    docs.read()
    with pytest.raises(Refused, match="다른 검토자"):
        review.publish(docs.board, LEAD, number, 1)
    review.publish(docs.board, PM, number, 1)


def test_a_rejected_version_needs_a_reason_and_can_be_handed_in_again(docs: DocumentEnv) -> None:
    number = docs.add(TEXT)
    docs.read()
    with pytest.raises(Refused):
        review.reject(docs.board, LEAD, number, 1, "아직")
    review.submit(docs.board, ENGINEER, number, 1)
    with pytest.raises(Refused):
        review.submit(docs.board, ENGINEER, number, 1)
    with pytest.raises(Missing):
        review.reject(docs.board, LEAD, number, 1, " ")
    review.reject(docs.board, LEAD, number, 1, "표가 빠졌습니다")
    review.submit(docs.board, ENGINEER, number, 1)
    assert review_view.review_queue(docs.board, LEAD, Keyset(size=5)).rows[0].number == number


def test_a_new_version_changes_nothing_until_it_is_published(docs: DocumentEnv) -> None:
    number = docs.published(TEXT)
    docs.version(number, TEXT.replace("점검합니다", "매일 점검합니다"))
    assert "매일" not in view.get_document(docs.board, ENGINEER, number).passages[0].text
    assert view.difference(docs.board, ENGINEER, number, 1, 2) == (
        ("@", ""),
        (" ", "# 점검"),
        (" ", ""),
        ("-", "서버를 점검합니다."),
        ("+", "서버를 매일 점검합니다."),
    )
    review.submit(docs.board, ENGINEER, number, 2)
    review.publish(docs.board, LEAD, number, 2)
    restored = records.restore(docs.board, ENGINEER, number, 1)
    docs.read()
    found = view.get_document(docs.board, ENGINEER, number)
    assert [(v.version, v.review) for v in found.versions] == [
        (3, "DRAFT"),
        (2, "PUBLISHED"),
        (1, "SUPERSEDED"),
    ]
    assert view.body_of(docs.board, ENGINEER, number, restored) == view.body_of(
        docs.board, ENGINEER, number, 1
    )


def test_an_edit_of_an_old_version_is_refused(docs: DocumentEnv) -> None:
    number = docs.published(TEXT)
    docs.version(number, "둘", based_on=1)
    with pytest.raises(Stale):
        docs.version(number, "셋", based_on=1)


def test_of_several_edits_at_once_one_is_kept_and_no_upload_is_lost(docs: DocumentEnv) -> None:
    number = docs.published(TEXT)

    def edit(at: int) -> int | None:
        with suppress(Stale):
            return docs.version(number, f"{TEXT}{at}", based_on=1)
        return None

    with ThreadPoolExecutor(4) as people:
        added = list(people.map(lambda _: docs.add(TEXT), range(4)))
        edits = list(people.map(edit, range(4)))
    assert sorted(edits, key=lambda one: one or 0) == [None, None, None, 2]
    docs.read()
    assert len({number, *added}) == 5
    for one in added:
        assert view.body_of(docs.board, ENGINEER, one, 1) == TEXT.strip()


def test_an_unreadable_file_is_never_published(docs: DocumentEnv) -> None:
    number = docs.add(b"PK\x03\x04broken", name="a.docx", submit=True)
    docs.read()
    found = view.get_document(docs.board, ENGINEER, number)
    assert (found.shown.reading, found.shown.review) == ("UNREADABLE", "DRAFT")
    assert "손상" in found.shown.problem
    with pytest.raises(Refused):
        review.submit(docs.board, ENGINEER, number, 1)
    with pytest.raises(Refused):
        review.publish(docs.board, LEAD, number, 1)


@pytest.mark.parametrize(
    ("details", "field"),
    [
        (DocumentDetails(" "), "title"),
        (DocumentDetails("가" * 201), "title"),
        (replace(PLAIN, field="was!"), "field"),
        (replace(PLAIN, institution="NONE"), "institution"),
        (replace(PLAIN, server="NO-SUCH"), "server"),
        (replace(PLAIN, institution="MOE", server="MOF-DB-01"), "server"),
        (replace(PLAIN, owner="cus"), "owner"),
        (replace(PLAIN, audience="institution"), "institution"),
        (replace(PLAIN, audience="everyone"), "audience"),
        (replace(PLAIN, roles=()), "roles"),
        (replace(PLAIN, roles=("root",)), "roles"),
    ],
)
def test_wrong_details_are_refused_at_their_field(
    docs: DocumentEnv, details: DocumentDetails, field: str
) -> None:
    with pytest.raises(Invalid) as error:
        docs.add(TEXT, details=details)
    assert error.value.detail["field"] == field


PUBLIC = replace(PLAIN, audience="all")
OF_MOF = replace(PLAIN, audience="institution", institution="MOF")


@pytest.mark.parametrize(
    ("details", "readers"),
    [
        (PLAIN, (ENGINEER, LEAD, OFFICER)),
        (PUBLIC, (ENGINEER, LEAD, OFFICER, CUSTOMER, OUTSIDER)),
        (OF_MOF, (ENGINEER, LEAD, OFFICER, CUSTOMER)),
        (replace(PUBLIC, institution="MOF"), (ENGINEER, LEAD, OFFICER, CUSTOMER)),
        (replace(PLAIN, roles=("security_officer",)), (ENGINEER, OFFICER)),  # and its author
        (
            replace(PLAIN, institution="MOF", roles=("customer", "engineer", "team_lead")),
            (ENGINEER, LEAD, CUSTOMER),
        ),
    ],
)
def test_only_readers_see_a_document_anywhere(
    docs: DocumentEnv, details: DocumentDetails, readers: tuple[PersonInfo, ...]
) -> None:
    reviewer = LEAD if LEAD in readers else OFFICER
    number = docs.published(TEXT, details=details, reviewer=reviewer)
    for person in (ENGINEER, LEAD, OFFICER, CUSTOMER, OUTSIDER):
        listed = view.list_documents(docs.board, person, DocumentFilter(), Keyset(size=5)).rows
        assert [one.number for one in listed] == ([number] if person in readers else []), person
        with docs.board.database.reading() as session:
            found = session.scalar(select(Document.document_id).where(readable_by(person)))
        assert (found == number) == (person in readers)
        if person not in readers:
            for act in (
                lambda p=person: view.get_document(docs.board, p, number),
                lambda p=person: view.content_of(docs.board, p, number, 1),
                lambda p=person: view.difference(docs.board, p, number, 1, 1),
                lambda p=person: records.expire(docs.board, p, number),
            ):
                with pytest.raises((NotFound, Forbidden)):
                    act()


def test_a_customer_sees_published_versions_only(docs: DocumentEnv) -> None:
    number = docs.add(TEXT, details=PUBLIC)
    docs.read()
    with pytest.raises(NotFound):
        view.get_document(docs.board, CUSTOMER, number)
    review.submit(docs.board, ENGINEER, number, 1)
    review.publish(docs.board, LEAD, number, 1)
    docs.version(number, "비공개 초안")
    found = view.get_document(docs.board, CUSTOMER, number)
    assert [v.version for v in found.versions] == [1]
    with pytest.raises(NotFound):
        view.body_of(docs.board, CUSTOMER, number, 2)


def test_agents_use_only_what_is_in_force_and_for_the_place(docs: DocumentEnv) -> None:
    general = docs.published(TEXT, details=PLAIN)
    of_mof = docs.published(TEXT + "가", details=OF_MOF)
    of_db = docs.published(TEXT + "나", details=replace(PLAIN, server="MOF-DB-01"))
    secret = docs.published(
        TEXT + "다", details=replace(PLAIN, roles=("security_officer",)), reviewer=OFFICER
    )
    draft = docs.add(TEXT + "라")
    docs.read()

    def usable(institution: str | None, server: str | None = None) -> set[int]:
        with docs.board.database.reading() as session:
            query = select(Document.document_id).where(
                in_force(docs.board.clock()), usable_for(institution, server)
            )
            return set(session.scalars(query))

    assert usable(None) == {general}
    assert usable("MOE") == {general}
    assert usable("MOF") == {general, of_mof}
    assert usable("MOF", "MOF-DB-01") == {general, of_mof, of_db}
    assert secret not in usable("MOF", "MOF-DB-01") and draft not in usable("MOF", "MOF-DB-01")
    records.expire(docs.board, ENGINEER, general)
    records.remove(docs.board, LEAD, of_mof)
    assert usable("MOF") == set()


def test_an_expired_document_can_be_extended_but_not_into_the_past(docs: DocumentEnv) -> None:
    number = docs.published(TEXT)
    records.expire(docs.board, ENGINEER, number)
    found = view.list_documents(docs.board, ENGINEER, DocumentFilter(state="EXPIRED"), Keyset())
    assert [one.number for one in found.rows] == [number]
    now = docs.board.clock()
    with pytest.raises(Invalid):
        past = replace(PLAIN, expires_at=now - timedelta(days=1))
        records.change_details(docs.board, ENGINEER, number, past)
    later = replace(PLAIN, title="새 제목", expires_at=now + timedelta(days=1))
    records.change_details(docs.board, ENGINEER, number, later)
    found = view.list_documents(docs.board, ENGINEER, DocumentFilter("새 제"), Keyset())
    assert [one.state for one in found.rows] == ["PUBLISHED"]


def test_a_removed_document_is_gone_for_everyone(docs: DocumentEnv) -> None:
    number = docs.published(TEXT)
    with pytest.raises(Forbidden):
        records.remove(docs.board, ENGINEER, number)
    records.remove(docs.board, LEAD, number)
    with pytest.raises(NotFound):
        view.get_document(docs.board, LEAD, number)
    with pytest.raises(NotFound):
        view.get_document(docs.board, None, number)
    with pytest.raises(NotFound):
        docs.version(number, "둘")


def test_a_list_costs_the_same_for_any_number_of_documents(
    docs: DocumentEnv,
) -> None:
    for at in range(3):
        docs.add(f"{TEXT}{at}")
    with recorded_statements(docs.board) as few:
        view.list_documents(docs.board, ENGINEER, DocumentFilter(), Keyset(size=2))
    for at in range(5):
        docs.add(f"{TEXT}{at}더")
    with recorded_statements(docs.board) as many:
        view.list_documents(docs.board, ENGINEER, DocumentFilter(), Keyset(size=8))
    assert len(many) == len(few)


def test_a_version_is_read_only_once(docs: DocumentEnv) -> None:
    number = docs.published(TEXT)
    docs.read_again()
    with docs.board.database.reading() as session:
        assert len(session.scalars(select(Passage)).all()) == 1
    assert view.get_document(docs.board, LEAD, number).published == 1
