"""People change an issue's texts, labels, family, lock and followers, each on record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, PM, BoardEnv
from page_env import AUDITOR, OTHER_CUSTOMER, enrol_page_users
from sqlalchemy import select

from guardia.board.audit.model import AuditEntry
from guardia.board.core.actors import Actor
from guardia.board.core.model import Comment, Issue
from guardia.board.core.notices import Notice
from guardia.board.issues import (
    changing,
    comments,
    editing,
    family,
    following,
    labels,
    locking,
    own_comments,
)
from guardia.board.issues.model import EarlierText, IssueReference
from guardia.errors import Forbidden, Invalid, Missing, NotFound, Refused, Stale


@pytest.fixture
def web_env(env: BoardEnv) -> BoardEnv:
    """Return the seeded board with more people."""
    enrol_page_users(env)
    return env


def kinds(env: BoardEnv, sr_id: int | None) -> list[str]:
    """Return the kinds of the entries of an issue, oldest first."""
    query = select(AuditEntry.kind).where(AuditEntry.sr_id == sr_id)
    with env.board.database.reading() as session:
        return list(session.scalars(query.order_by(AuditEntry.seq)))


def test_title_and_description_are_edited_and_their_earlier_texts_kept(web_env: BoardEnv) -> None:
    board, sr_id = web_env.board, web_env.create_issue(requester_id="cus", institution="MOF")
    with board.database.reading() as session:
        row = session.get_one(Issue, sr_id)
        title, body, seen = row.title, row.body, changing.text_token(row.title, row.body)
    assert editing.edit(board, CUSTOMER, sr_id, "DB가 느립니다", body, seen)
    assert not editing.edit(board, ENGINEER, sr_id, "DB가 느립니다", body)
    with pytest.raises(Stale):  # the form of someone else, opened before
        editing.edit(board, ENGINEER, sr_id, "다른 제목", body, seen)
    with pytest.raises(Missing):
        editing.edit(board, ENGINEER, sr_id, " ", body)
    with board.database.reading() as session:
        (earlier,) = session.scalars(select(EarlierText)).all()
        assert (earlier.field, earlier.text, earlier.edited_by) == ("title", title, "person:cus")
        assert session.get_one(Issue, sr_id).title == "DB가 느립니다"
    assert kinds(web_env, sr_id)[-1] == "issue_edited"


def test_only_the_requester_and_staff_edit(web_env: BoardEnv) -> None:
    board, sr_id = web_env.board, web_env.create_issue(requester_id="lead", institution="MOF")
    with pytest.raises(Forbidden):
        editing.edit(board, CUSTOMER, sr_id, "가", "나")
    with pytest.raises(Forbidden):
        editing.edit(board, AUDITOR, sr_id, "가", "나")


ACTS: list[Callable[[BoardEnv, int], object]] = [
    lambda env, sr: editing.edit(env.board, OTHER_CUSTOMER, sr, "가", "나"),
    lambda env, sr: own_comments.edit(env.board, OTHER_CUSTOMER, sr, 1, "가"),
    lambda env, sr: own_comments.remove(env.board, OTHER_CUSTOMER, sr, 1),
    lambda env, sr: labels.set_labels(env.board, OTHER_CUSTOMER, sr, []),
    lambda env, sr: family.set_parent(env.board, OTHER_CUSTOMER, sr, None),
    lambda env, sr: family.set_due(env.board, OTHER_CUSTOMER, sr, None),
    lambda env, sr: locking.lock(env.board, OTHER_CUSTOMER, sr, "사유"),
    lambda env, sr: following.follow(env.board, OTHER_CUSTOMER, sr, "FOLLOWING"),
]


@pytest.mark.parametrize("act", ACTS)
def test_for_an_outsider_the_issue_does_not_exist(
    web_env: BoardEnv, act: Callable[[BoardEnv, int], object]
) -> None:
    with pytest.raises(NotFound):
        act(web_env, web_env.create_issue())


def test_a_comment_is_edited_and_deleted_by_its_author_only(web_env: BoardEnv) -> None:
    board, sr_id = web_env.board, web_env.create_issue()
    number = comments.add_comment(board, sr_id, Actor.of(ENGINEER), "비밀 계획 하나")
    with pytest.raises(Forbidden):
        own_comments.edit(board, LEAD, sr_id, number, "다른 글")
    with pytest.raises(NotFound):
        own_comments.remove(board, ENGINEER, web_env.create_issue(), number)
    assert own_comments.edit(board, ENGINEER, sr_id, number, "고친 글")
    own_comments.remove(board, ENGINEER, sr_id, number)
    with pytest.raises(NotFound):
        own_comments.edit(board, ENGINEER, sr_id, number, "또")
    with board.database.reading() as session:
        assert session.get_one(Comment, number).body == ""
        assert session.scalars(select(EarlierText)).all() == []
        entries = session.scalars(select(AuditEntry).where(AuditEntry.sr_id == sr_id)).all()
    # The log proves that it was written, and not what it said.
    kept = repr([(e.detail, e.log_content) for e in entries])
    assert "비밀" not in kept and "고친 글" not in kept
    assert comments.digest("비밀 계획 하나") in kept
    wanted = ["comment", "comment_edited", "comment_deleted"]
    assert [e.kind for e in entries][-3:] == wanted


def test_labels_are_created_by_those_who_may_and_set_by_those_who_operate(
    web_env: BoardEnv,
) -> None:
    board, sr_id = web_env.board, web_env.create_issue(institution="MOF")
    with pytest.raises(Forbidden):
        labels.create(board, ENGINEER, "DB", "1d76db")
    db = labels.create(board, LEAD, "DB", "#1D76DB", "데이터베이스")
    net = labels.create(board, PM, "네트워크", "b60205")
    for name, color in (("db", "1d76db"), ("x,y", "1d76db"), ("z", "파랑"), ("", "1d76db")):
        with pytest.raises(Invalid):
            labels.create(board, LEAD, name, color)
    with pytest.raises(Forbidden):
        labels.set_labels(board, CUSTOMER, sr_id, [db.label_id])
    assert labels.set_labels(board, ENGINEER, sr_id, [db.label_id, net.label_id])
    assert not labels.set_labels(board, ENGINEER, sr_id, [net.label_id, db.label_id])
    assert labels.set_labels(board, ENGINEER, sr_id, [db.label_id])
    with pytest.raises(NotFound):
        labels.set_labels(board, ENGINEER, sr_id, [99])
    labels.change(board, LEAD, db.label_id, "데이터", "0e8a16")
    listed = labels.list_labels(board, ENGINEER)
    assert [(one.name, one.color, one.issues) for one in listed] == [
        ("네트워크", "b60205", 0),
        ("데이터", "0e8a16", 1),
    ]
    labels.remove(board, LEAD, db.label_id)
    assert kinds(web_env, sr_id)[-2:] == ["labeled", "labeled"]
    assert kinds(web_env, None)[-2:] == ["label_changed", "label_removed"]


@pytest.mark.slow
def test_sub_issues_are_linked_without_circles_and_kept_in_order(web_env: BoardEnv) -> None:
    board = web_env.board
    top, one, two, below = (web_env.create_issue(institution="MOF") for _ in range(4))
    family.set_parent(board, ENGINEER, one, top)
    family.set_parent(board, ENGINEER, two, top)
    family.set_parent(board, ENGINEER, below, one)
    for parent in (top, below):
        with pytest.raises(Refused):
            family.set_parent(board, ENGINEER, top, parent)
    with pytest.raises(Refused):
        family.set_parent(board, ENGINEER, top, web_env.create_issue(institution="MOE"))
    with pytest.raises(NotFound):
        family.set_parent(board, ENGINEER, top, 4711)
    family.move_child(board, ENGINEER, top, two, "up")
    family.move_child(board, ENGINEER, top, two, "up")  # it is the first already
    with board.database.reading() as session:
        query = select(Issue.sr_id).where(Issue.parent_id == top).order_by(Issue.sub_order)
        assert list(session.scalars(query)) == [two, one]
    family.set_due(board, ENGINEER, one, date(2026, 12, 24))
    with pytest.raises(Invalid):
        family.set_due(board, ENGINEER, one, date(1, 1, 1))
    family.set_parent(board, ENGINEER, one, None)
    assert kinds(web_env, one)[-3:] == ["parent_set", "due_set", "parent_set"]
    assert kinds(web_env, top)[-1] == "child_moved"


def test_a_locked_conversation_takes_comments_of_those_who_may_lock_only(
    web_env: BoardEnv,
) -> None:
    board, sr_id = web_env.board, web_env.create_issue()
    with pytest.raises(Forbidden):
        locking.lock(board, ENGINEER, sr_id, "과열")
    with pytest.raises(Missing):
        locking.lock(board, LEAD, sr_id, " ")
    locking.lock(board, LEAD, sr_id, "과열")
    locking.lock(board, LEAD, sr_id, "과열")
    with pytest.raises(Refused):
        comments.add_comment(board, sr_id, Actor.of(ENGINEER), "그래도")
    comments.add_comment(board, sr_id, Actor.of(PM), "정리합니다")
    locking.unlock(board, PM, sr_id)
    comments.add_comment(board, sr_id, Actor.of(ENGINEER), "다시")
    assert kinds(web_env, sr_id)[-4:] == ["issue_locked", "comment", "issue_unlocked", "comment"]


def test_followers_learn_of_comments_and_muted_people_do_not(web_env: BoardEnv) -> None:
    board, sr_id = web_env.board, web_env.create_issue(institution="MOF")
    following.follow(board, LEAD, sr_id, "FOLLOWING")
    following.follow(board, CUSTOMER, sr_id, "FOLLOWING")
    following.follow(board, PM, sr_id, "MUTED")
    comments.add_comment(board, sr_id, Actor.of(ENGINEER), "확인했습니다 @정다은")
    # The author follows from now on; a mention is not announced a second time.
    comments.add_comment(board, sr_id, Actor.of(PM), "저도 확인")
    following.follow(board, LEAD, sr_id, "")
    comments.add_comment(board, sr_id, Actor.of(PM), "끝")
    with board.database.reading() as session:
        query = select(Notice.kind, Notice.person_id).order_by(Notice.notice_id)
        found = [(kind, person) for kind, person in session.execute(query)]
    assert found == [
        ("mention", "lead"),
        ("comment", "cus"),
        ("comment", "cus"),
        ("comment", "eng"),
        ("comment", "lead"),
        ("comment", "cus"),
        ("comment", "eng"),
    ]


def test_a_number_in_a_text_becomes_a_reference(web_env: BoardEnv) -> None:
    board = web_env.board
    first, second, third = (web_env.create_issue() for _ in range(3))
    text = f"#{first}로 이어집니다. SR-{second}, `#{third}`, #99, a#{third}, #{third}"
    comments.add_comment(board, third, Actor.of(ENGINEER), text)
    editing.edit(board, ENGINEER, second, f"#{first} 다음", "본문")
    with board.database.reading() as session:
        rows = session.execute(select(IssueReference.from_id, IssueReference.to_id))
        assert sorted(map(tuple, rows)) == [(second, first), (third, first), (third, second)]
