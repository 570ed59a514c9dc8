"""Related documents and similar issues are shown to those who may see them."""

from __future__ import annotations

import psycopg
import pytest
from board_env import CUSTOMER, ENGINEER, BoardEnv
from search_env import CERTIFICATE, change, publish
from sqlalchemy import select

from guardia.board.knowledge.model import Document, Passage
from guardia.board.search import related, related_view
from guardia.board.search.questions import FoundPassage
from guardia.board.search.related import RelatedWork
from guardia.errors import NotFound
from guardia.org.directory import PersonInfo

OUTSIDER = PersonInfo(id="cus2", name="남", title="", role="customer", institution="MOE")


def at(env: BoardEnv, sr_id: int, institution: str, *, is_closed: bool = True) -> None:
    """Put an issue to an institution, ended or not."""
    with psycopg.connect(env.dsn) as connection:
        connection.execute(
            "update tb_sr_request set inst_id = %s, closed_at = case when %s then now() end"
            " where sr_id = %s",
            (institution, is_closed, sr_id),
        )


def passage(env: BoardEnv, document: int) -> FoundPassage:
    with env.board.database.reading() as session:
        query = select(Passage.passage_id).join(
            Document, Document.published_id == Passage.version_id
        )
        number = session.scalars(query.where(Document.document_id == document)).one()
    return FoundPassage(number, 1.0, ())


def taken(env: BoardEnv, sr_id: int) -> RelatedWork:
    related.want(env.board, ENGINEER, sr_id)
    work = related.take(env.board)
    assert work is not None and work.sr_id == sr_id
    return work


def test_each_viewer_gets_what_may_be_seen(env: BoardEnv) -> None:
    public = publish(env, *CERTIFICATE)
    internal = publish(env, "내부 지침", "내부 절차", audience="roles", roles=["engineer"])
    foreign = publish(env, "교육부 지침", "교육부 절차", audience="institution", inst_id="MOE")
    mine, own, other = (env.create_issue(text=f"인증서 갱신 {n}") for n in range(3))
    at(env, mine, "MOF", is_closed=False)
    at(env, own, "MOF")
    at(env, other, "MOE")
    work = taken(env, mine)
    assert work.staff_documents == [public, internal] and work.open_documents == [public]
    found = [passage(env, one) for one in (internal, foreign, public)]
    related.settle(env.board, mine, found, found, [(other, 0.9), (own, 0.8)])
    staff = related_view.get_related(env.board, ENGINEER, mine)
    assert [one.document_id for one in staff.documents] == [internal, public]
    assert [one.sr_id for one in staff.issues] == [other, own]
    customer = related_view.get_related(env.board, CUSTOMER, mine)
    assert [one.document_id for one in customer.documents] == [public]
    assert [one.sr_id for one in customer.issues] == [own]
    assert all(not one.result for one in customer.issues)
    for refused in (related.want, related_view.get_related):
        with pytest.raises(NotFound):
            refused(env.board, OUTSIDER, mine)


def test_it_is_looked_for_again_only_when_something_changed(env: BoardEnv) -> None:
    number = publish(env, *CERTIFICATE)
    sr_id = env.create_issue()
    taken(env, sr_id)
    related.want(env.board, ENGINEER, sr_id)
    assert related.take(env.board) is None
    related.settle(env.board, sr_id, (), (), ())
    related.want(env.board, ENGINEER, sr_id)
    assert related.take(env.board) is None
    change(env, number, title="인증서 교체 절차")
    taken(env, sr_id)
    related.settle(env.board, sr_id, (), (), ())
    with psycopg.connect(env.dsn) as connection:
        connection.execute("update tb_document set updated_at = now() - interval '1 day'")
        connection.execute("update tb_sr_request set body = '다른 내용' where sr_id = %s", (sr_id,))
    assert taken(env, sr_id).text.endswith("다른 내용")


def test_only_ended_issues_are_compared(env: BoardEnv) -> None:
    mine, ended, still_open = (env.create_issue(text=f"락 대기 {n}") for n in range(3))
    for sr_id in (mine, ended, still_open):
        at(env, sr_id, "MOF", is_closed=sr_id == ended)
    past = related.past_issues(env.board, mine)
    assert [(one.sr_id, one.is_same_institution) for one in past] == [(ended, True)]
