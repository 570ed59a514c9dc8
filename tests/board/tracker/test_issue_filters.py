"""What each term of the filter finds, in every order and on every page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, BoardEnv
from page_env import OTHER_CUSTOMER, IssueScenario, enrol_page_users
from sqlalchemy import text

from guardia.board.assignment import queue
from guardia.board.control import directives, reopening
from guardia.board.control.directive_context import DirectiveRequest
from guardia.board.core.actors import Actor
from guardia.board.execution import tasks
from guardia.board.issues import comments
from guardia.board.tracker import issue_list, issue_search
from guardia.board.tracker.filter_completion import complete
from guardia.board.tracker.issue_list import IssueQuery
from guardia.org.directory import PersonInfo


@pytest.fixture
def web_env(env: BoardEnv) -> BoardEnv:
    """The seeded board with a second institution."""
    enrol_page_users(env)
    return env


def numbers(env: BoardEnv, words: str, viewer: PersonInfo = LEAD, **more: Any) -> list[int]:
    return [
        row.sr_id
        for row in issue_list.list_issues(env.board, viewer, IssueQuery(words=words, **more)).rows
    ]


def problem(env: BoardEnv, words: str, viewer: PersonInfo = LEAD) -> str:
    problems = issue_list.list_issues(env.board, viewer, IssueQuery(words=words)).problems
    return problems[0].name if problems else ""


def set_values(env: BoardEnv, sr_id: int, **values: object) -> None:
    names = ", ".join(f"{name} = :{name}" for name in values)
    with env.board.database.transaction() as session:
        session.execute(
            text(f"update tb_sr_request set {names} where sr_id = :sr"),
            values | {"sr": sr_id},
        )


@pytest.fixture
def three(web_env: BoardEnv) -> tuple[int, int, int]:
    """An open issue of the engineer, an ended one of a customer, and one that is still unknown."""
    first = IssueScenario(web_env).receive("운영DB가 느려요").parse()
    tasks.hand_over(web_env.board, first.claim, "사람이 봅니다")
    queue.assign(web_env.board, LEAD, first.sr_id, ENGINEER.id)
    comments.add_comment(web_env.board, first.sr_id, Actor.of(ENGINEER), "@lead 확인해 주세요")
    second = web_env.create_issue(text="디스크 100% 입니다")
    third = web_env.create_issue(text="문의: 접속이 안 됩니다")
    set_values(web_env, second, requester_id=CUSTOMER.id, inst_id="MOF", priority="P3")
    set_values(web_env, third, priority=None, category=None, kind=None)
    now = web_env.board.clock()
    set_values(web_env, first.sr_id, created_at=now - timedelta(40), due_on=now.date())
    return first.sr_id, second, third


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("is:open", "321"), ("is:closed", ""), ("is:issue", "321"), ("-is:open", ""),
        ("is:unassigned", "32"), ("no:assignee", "32"), ("has:assignee", "1"),
        ("assignee:eng", "1"), ("assignee:@me", ""), ("assignee:none", "32"),
        ("-assignee:eng", "32"), ('assignee:"김철수"', "1"), ("author:cus", "2"),
        ("requester:cus", "2"), ("-author:cus", "31"), ("mentions:@me", "1"), ("mentions:eng", ""),
        ("commenter:eng", "1"), ("involves:eng", "1"), ("involves:lead", "1"),
        ("involves:cus", "2"), ("institution:MOF", "21"), ("institution:기획재정부", "21"),
        ("-institution:MOF", "3"), ("no:institution", "3"), ("server:MOF-DB-01", "1"),
        ("server:mof-db-01", "1"), ("-server:MOF-DB-01", "32"), ("no:server", "32"),
        ("priority:P2", "1"), ("priority:P2,P3", "21"), ("우선순위:보통", "2"),
        ("no:priority", "3"), ("category:DB", "1"), ("status:manual", "1"),
        ("status:received", "32"), ("상태:접수", "32"), ("created:<@today-30d", "1"),
        ("created:>=@today", "32"),
        ("due:<=@today", "1"), ("no:due", "32"), ("agent:db-agent", "1"), ("느려요", "1"),
        ("-느려요", "32"), ('"100% 입니다"', "2"), ("-is:unassigned 느려요", "1"),
        ("sort:created-asc", "123"), ("sort:priority-asc", "123"), ("sort:priority-desc", "321"),
        ("sort:due-asc", "123"), ("정렬:접수일", "321"),
    ],
)  # fmt: skip
def test_terms_find(web_env: BoardEnv, three: tuple[int, int, int], words: str, found: str) -> None:
    assert numbers(web_env, words) == [three[int(n) - 1] for n in found]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("is:offen", "choice"), ("status:weg", "choice"), ("priority:P9", "choice"),
        ("no:thing", "choice"), ("sort:zufall", "choice"), ("assignee:gibtesnicht", "person"),
        ("institution:gibtesnicht", "institution"), ("server:GIBT-NICHT", "server"),
        ("agent:gibtesnicht", "agent"), ("created:gestern", "date"), ("parent:x", "number"),
        ("foo:bar", "key"), ('"offen', "quote"),
    ],
)  # fmt: skip
def test_wrong_terms_are_named_and_find_nothing(web_env: BoardEnv, words: str, name: str) -> None:
    web_env.create_issue()
    assert problem(web_env, words) == name
    assert numbers(web_env, words) == []


def test_customers_do_not_learn_which_names_exist(web_env: BoardEnv) -> None:
    for words in (
        "assignee:eng",
        "assignee:nix",
        "server:MOE-DB-01",
        "server:NIX",
        "institution:x",
    ):
        assert problem(web_env, words, OTHER_CUSTOMER) == ""
        assert numbers(web_env, words, OTHER_CUSTOMER) == []
    assert problem(web_env, "server:NIX") == "server"


@pytest.mark.slow
@pytest.mark.parametrize("field", ["created", "updated", "priority", "due", "status", "assignee"])
@pytest.mark.parametrize("way", ["asc", "desc"])
def test_every_sorting_pages_both_ways(web_env: BoardEnv, field: str, way: str) -> None:
    made = [web_env.create_issue(text=f"요청 {n}") for n in range(9)]
    for n, sr_id in enumerate(made):
        set_values(web_env, sr_id, priority=(None, "P1", "P2")[n % 3])
    words = f"sort:{field}-{way}"
    whole = numbers(web_env, words)
    assert sorted(whole) == made
    if field == "priority":
        order = [(n % 3 + 2) % 3 for n in (made.index(sr_id) for sr_id in whole)]
        assert order == sorted(order, reverse=way == "desc")
    pages, cursor = [], {}
    while True:
        page = issue_list.list_issues(
            web_env.board, LEAD, IssueQuery(words=words, size=4, **cursor)
        )
        pages.append(page)
        if page.older is None:
            break
        cursor = {"before": page.older}
    assert [row.sr_id for page in pages for row in page.rows] == whole
    back = issue_list.list_issues(
        web_env.board, LEAD, IssueQuery(words=words, size=4, after=pages[-1].newer)
    )
    assert back.rows == pages[1].rows


def test_words_are_found_in_any_form(web_env: BoardEnv) -> None:
    found = web_env.create_issue(text="ＤＢ서버 조회가 느려요\u200b. 'quote' \\ back–slash")
    for words in (
        "db서버",
        "DB서버",
        "조회가",
        "느려요.",
        '"서버 조회"',
        "'quote'",
        "back-slash",
        "느",
    ):
        assert numbers(web_env, words) == [found], words
    assert numbers(web_env, "조회를") == []
    set_values(web_env, found, title="예산 시스템", body="멈췄습니다")
    assert numbers(web_env, "예산") == [found]
    assert numbers(web_env, "느려요") == []


def test_rare_words_are_found_behind_the_first_issues(
    web_env: BoardEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issue_search, "WINDOW", 3)
    monkeypatch.setattr(issue_list, "_SCANNED", 3)
    rare = IssueScenario(web_env).receive("표준편차가 느려요").parse().sr_id
    others = [web_env.create_issue(text=f"점검 {n}") for n in range(8)]
    assert numbers(web_env, "표준편차") == [rare]
    assert numbers(web_env, "기획재정부 표준편차") == [rare]
    assert numbers(web_env, "기획재정부") == [rare]
    assert numbers(web_env, "점검", size=5) == others[::-1][:5]
    with web_env.board.database.reading() as session:
        for words, number, exact in (
            ("표준편차", 1, True),
            ("점검", 3, False),
            ("없는말", 0, True),
        ):
            query, now = IssueQuery(words=words), web_env.board.clock()
            counted = issue_list.count_issues(session, LEAD, query, now)
            assert counted == issue_list.Count(number, exact), words


def test_counts_are_bounded(web_env: BoardEnv) -> None:
    for n in range(4):
        web_env.create_issue(text=f"요청 {n}")
    with web_env.board.database.reading() as session:
        now = web_env.board.clock()
        assert str(issue_list.count_issues(session, LEAD, IssueQuery(), now)) == "4"
        assert str(issue_list.count_issues(session, LEAD, IssueQuery(), now, 3)) == "3+"
        assert str(issue_list.Count(10_000, is_exact=False)) == "10,000+"


def test_an_ended_issue_has_its_moment_until_it_is_reopened(web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).receive().parse()
    tasks.hand_over(web_env.board, scenario.claim, "사람이 봅니다")
    sr_id, task_id = scenario.sr_id, scenario.claim.task_id

    def closed_at() -> object:
        with web_env.board.database.reading() as session:
            return session.scalar(
                text("select closed_at from tb_sr_request where sr_id = :sr"), {"sr": sr_id}
            )

    assert closed_at() is None
    directives.issue_directive(web_env.board, LEAD, task_id, DirectiveRequest("complete", "끝"))
    assert closed_at() is not None
    assert numbers(web_env, "closed:@today") == [sr_id]
    reopening.reopen(web_env.board, LEAD, sr_id, "아직 느립니다")
    assert closed_at() is None


@pytest.mark.parametrize(
    ("words", "first", "after"),
    [
        ("ass", "assignee:", "assignee:"),
        ("담", "assignee:", "assignee:"),
        ("is:op", "is:open", "is:open "),
        ("느려요 -status:man", "status:manual", "느려요 -status:manual "),
        ("assignee:", "assignee:@me", "assignee:@me "),
        ("assignee:김철", "assignee:eng", "assignee:eng "),
        ("server:db-01", "server:MOE-DB-01", "server:MOE-DB-01 "),
        ("institution:기획", "institution:MOF", "institution:MOF "),
        ("priority:P1,보", "priority:P1,P3", "priority:P1,P3 "),
        ("created:>=@", "created:>=@today-7d", "created:>=@today-7d "),
    ],
)
def test_the_term_at_the_cursor_is_completed(
    web_env: BoardEnv, words: str, first: str, after: str
) -> None:
    found = complete(web_env.board, LEAD, words, len(words))
    assert (found[0].label, found[0].words, found[0].at) == (first, after, len(after))


def test_completion_inside_a_filter_keeps_the_rest(web_env: BoardEnv) -> None:
    (found, *_) = complete(web_env.board, LEAD, "is:op 느려요", 5)
    assert found.words == "is:open 느려요"
    assert complete(web_env.board, OTHER_CUSTOMER, "server:", 7) == []
    assert [c.label for c in complete(web_env.board, OTHER_CUSTOMER, "institution:", 12)] == [
        "institution:MOE"
    ]
    people = complete(web_env.board, OTHER_CUSTOMER, "assignee:", 9)
    assert [c.label for c in people] == ["assignee:@me"]
