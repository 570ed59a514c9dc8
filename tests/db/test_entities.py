from __future__ import annotations

from datetime import UTC, datetime

from board_env import BoardEnv
from sqlalchemy import bindparam, func, literal, select, text

from guardia.board.core.model import Comment, Issue, Task
from guardia.db.entities import Entities, Insertion, pending_values, write, write_pending

_ISSUE = Entities(Issue, select(Issue).where(Issue.sr_id == bindparam("issue")))
_TASKS = Entities(Task, select(Task).where(Task.sr_id == bindparam("issue")))
_COMMENT = Insertion(Comment)
NOW = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)


def test_objects_are_as_if_the_session_had_loaded_them(env: BoardEnv) -> None:
    number = env.create_issue()
    with env.board.database.transaction() as session:
        expected = dict(session.get_one(Issue, number).__dict__)
    with env.board.database.transaction() as session:
        found = _ISSUE.first(session, {"issue": number})
        assert found is not None
        state = expected.pop("_sa_instance_state")
        assert {n: v for n, v in found.__dict__.items() if n != "_sa_instance_state"} == expected
        assert type(state) is type(found.__dict__["_sa_instance_state"])
        assert session.get(Issue, number) is found is _ISSUE.known(session, number)
        found.title = "바뀐\x1b 제목"
    with env.board.database.transaction() as session:
        assert session.get_one(Issue, number).title == "바뀐 제목"


def test_an_object_that_the_session_has_is_returned_as_it_is(env: BoardEnv) -> None:
    number = env.create_issue()
    with env.board.database.transaction() as session:
        own = session.get_one(Issue, number)
        session.execute(text("update tb_sr_request set title = '다른 곳에서'"))
        assert _ISSUE.first(session, {"issue": number}) is own
        assert own.title != "다른 곳에서"
        assert _ISSUE.first(session, {"issue": 0}) is None
        assert _ISSUE.known(session, 0) is None


def test_what_is_pending_is_written_by_one_statement_and_not_again(env: BoardEnv) -> None:
    number = env.create_issue()
    with env.board.database.transaction() as session:
        (task,) = _TASKS.all(session, {"issue": number})
        task.target_server, task.fence = "MOF-DB-01", 5
        assert pending_values(task) == {"target_server": "MOF-DB-01", "fence": 5}
        write_pending(session, task)
        assert pending_values(task) == {}
        assert not session.dirty
        write(session, task, owner_id="eng")
        row = session.execute(select(Task.target_server, Task.fence, Task.owner_id)).one()
        assert tuple(row) == ("MOF-DB-01", 5, "eng")
        assert (task.fence, task.owner_id) == (5, "eng")


def test_a_new_object_has_its_number_and_defaults(env: BoardEnv) -> None:
    number = env.create_issue()
    made = Comment(sr_id=number, author="person:lead", body="가\x1b나", created_at=NOW)
    with env.board.database.transaction() as session:
        stored = _COMMENT.store(session, made)
        assert stored is made
        assert made in session
        assert session.get(Comment, made.comment_id) is made
    with env.board.database.transaction() as session:
        (row,) = session.scalars(select(Comment))
        assert (row.comment_id, row.body) == (made.comment_id, "가나")


def test_what_the_database_fills_in_is_returned(env: BoardEnv) -> None:
    words = {"title": "t", "body": "b", "channel": "web", "created_at": NOW, "updated_at": NOW}
    with env.board.database.transaction() as session:
        opened = Insertion(Issue).store(session, Issue(status="RECEIVED", **words))
        assert (opened.closed_at, opened.triage, opened.room) == (None, {}, "")


def test_columns_can_be_computed_by_the_statement(env: BoardEnv) -> None:
    number = env.create_issue()
    loud = Insertion(Comment, body=func.upper(literal("abc")))
    with env.board.database.transaction() as session:
        made = loud.store(session, Comment(sr_id=number, author="person:lead", created_at=NOW))
        assert made.body == "ABC"


def test_a_json_that_is_left_out_has_no_value_instead_of_null(env: BoardEnv) -> None:
    env.create_filed_plan()
    with env.board.database.transaction() as session:
        query = "select checks is null, checks_due from tb_plan_version"
        assert tuple(session.execute(text(query)).one()) == (True, False)
