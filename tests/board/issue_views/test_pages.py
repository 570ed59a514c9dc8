"""The page of the list: filter, views, columns, changes of several issues, the palette."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, BoardEnv
from page_env import IssueScenario, PageClient, main_part, recorded_statements
from sqlalchemy import insert

from guardia.board.audit import log
from guardia.board.execution import tasks
from guardia.board.issue_views import bulk_acts, saved_views
from guardia.board.issue_views.bulk_acts import BulkAct
from guardia.board.issue_views.saved_views import NewView
from guardia.board.issues import labels
from guardia.board.tracker import issue_list
from guardia.board.tracker.issue_list import IssueQuery
from guardia.errors import Forbidden, Invalid, NotFound
from guardia.org.model import Team, TeamMember

Browse = Callable[[str], PageClient]
ROW = re.compile(r'id="sr-(\d+)"')


def shown(browser: PageClient, address: str) -> list[int]:
    return [int(number) for number in ROW.findall(browser.get_page(address).text)]


@pytest.fixture
def team(web_env: BoardEnv) -> str:
    """A team of the engineer and the lead."""
    with web_env.board.database.transaction() as session:
        session.execute(insert(Team).values(team_id="dba", name="DBA팀"))
        for person in (ENGINEER, LEAD):
            session.execute(insert(TeamMember).values(team_id="dba", person_id=person.id))
    return "dba"


def test_a_wrong_term_is_named_at_the_field_and_nothing_is_lost(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    web_env.create_issue()
    answer = sign_in_as("lead").get_page("/issues?q=asignee:me+느려요")
    assert answer.status_code == 422
    assert 'value="asignee:me 느려요"' in answer.text
    assert 'aria-describedby="q-hint q-error"' in answer.text
    assert "assignee:" in re.findall(r'id="q-error".*?</ul>', answer.text, re.DOTALL)[0]
    assert "저장한 보기" in answer.text


def test_words_may_name_the_state(sign_in_as: Browse, web_env: BoardEnv) -> None:
    sr_id, lead = web_env.create_issue(), sign_in_as("lead")
    assert shown(lead, "/issues?q=is:closed") == []
    assert shown(lead, "/issues?q=status:received") == [sr_id]
    assert shown(lead, "/issues?state=closed") == []
    assert re.search(r'aria-current="true">전체', lead.get_page("/issues?q=is:issue").text)


def test_the_form_without_a_script_adds_conditions(sign_in_as: Browse, web_env: BoardEnv) -> None:
    sr_id, lead = web_env.create_issue(), sign_in_as("lead")
    address = "/issues/filter?q=요청&f_is=unassigned&f_status=received&f_from=2020-01-01&f_to="
    moved = lead.get_page(address)
    assert moved.status_code == 303
    page = lead.get_page(moved.headers["location"])
    assert 'value="요청 is:unassigned status:received created:2020-01-01..*"' in page.text
    assert shown(lead, "/issues?q=is:unassigned+status:received+created:2020-01-01..*") == [sr_id]


def test_columns_are_chosen_and_sorted(sign_in_as: Browse, web_env: BoardEnv) -> None:
    web_env.create_issue()
    page = sign_in_as("lead").get_page("/issues?q=&col=due&col=requester&col=nix").text
    heads = re.findall(r'role="columnheader".*?</th>', page)
    assert len(heads) == 4
    assert "기한" in page and "요청자" in page
    assert "sort%3Adue-asc" in page
    sorted_page = sign_in_as("lead").get_page("/issues?q=sort:due-asc&columns=due").text
    assert 'aria-sort="ascending"' in sorted_page
    assert "sort%3Adue-desc" in sorted_page


@pytest.mark.slow
def test_a_view_is_saved_opened_changed_ordered_and_deleted(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    sr_id, lead = web_env.create_issue(), sign_in_as("lead")
    made = lead.submit_form(
        "/issues/views", "/issues", name="접수만", words="is:open status:received", col=["due"]
    )
    address = made.headers["location"]
    view = int(address.rpartition("=")[2])
    assert shown(lead, address) == [sr_id]
    assert "기한" in lead.get_page(address).text
    lead.submit_form("/issues/views", "/issues", name="둘째", words="is:closed")
    here = f"/issues/views/{view}"
    assert lead.submit_form(here, "/issues/views", act="default").status_code == 303
    assert lead.get_page("/issues").headers["location"] == address
    lead.submit_form(here, "/issues/views", act="down")
    names = [one.name for one in saved_views.views_of(web_env.board, LEAD)]
    assert names == ["둘째", "접수만"]
    lead.submit_form(here, "/issues/views", act="save", name="새 이름", words="is:open")
    assert "새 이름" in lead.get_page("/issues/views").text
    counted = lead.get(f"/issues/counts?view={view}").text
    assert re.search(r"새 이름.*?<span class=\"count\">1</span>", counted, re.DOTALL)
    assert sign_in_as("eng").get_page(address).status_code == 404
    assert sign_in_as("eng").submit_form(here, "/issues/views", act="delete").status_code == 404
    lead.submit_form(here, "/issues/views", act="delete")
    assert lead.get_page(address).status_code == 404
    assert lead.get_page("/issues").status_code == 200


def test_a_view_that_is_refused_is_shown_as_it_was_sent(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    lead = sign_in_as("lead")
    for fields, why in (
        ({"name": "", "words": "is:open"}, "보기 이름을 입력해 주세요"),
        ({"name": "내 보기", "words": "asignee:me"}, "assignee:"),
    ):
        answer = lead.submit_form("/issues/views", "/issues/views", **fields)
        assert answer.status_code == 422
        assert why in answer.text and f'value="{fields["words"]}"' in answer.text
    saved_views.save(web_env.board, LEAD, NewView("내 보기"))
    with pytest.raises(Invalid):
        saved_views.save(web_env.board, LEAD, NewView("내 보기"))


def test_a_team_shares_its_views(web_env: BoardEnv, team: str) -> None:
    board = web_env.board
    view = saved_views.save(board, LEAD, NewView("우리 팀", "is:open", team=team))
    (seen,) = saved_views.views_of(board, ENGINEER)
    assert (seen.name, seen.team) == ("우리 팀", "DBA팀")
    saved_views.change(board, ENGINEER, view, name="DBA 할 일")
    assert saved_views.get_view(board, LEAD, view).name == "DBA 할 일"
    assert saved_views.views_of(board, CUSTOMER) == ()
    with pytest.raises(NotFound):
        saved_views.get_view(board, CUSTOMER, view)
    with pytest.raises(NotFound):
        saved_views.save(board, CUSTOMER, NewView("x", team=team))
    with board.database.reading() as session:
        kinds = [entry.kind for entry in log.entries(session)]
    assert kinds.count("issue_view_changed") == 2


@pytest.mark.slow
def test_the_board_shows_issues_by_state(sign_in_as: Browse, web_env: BoardEnv) -> None:
    waiting = IssueScenario(web_env).waiting()
    web_env.create_issue()
    lead = sign_in_as("lead")
    page = main_part(lead.get_page("/issues/board").text)
    parts = re.findall(r"<section.*?</section>", page, re.DOTALL)
    assert len(parts) == 7
    assert f"/issues/{waiting.sr_id}" in parts[2] and '<span class="count">1</span>' in parts[2]
    assert "draggable" not in page
    assert lead.get_page("/issues/board?q=is:x").status_code == 422


@pytest.mark.slow
def test_several_issues_are_changed_after_a_confirmation(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    ended = IssueScenario(web_env).receive().parse()
    tasks.hand_over(web_env.board, ended.claim, "사람이 봅니다")
    bulk_acts.carry_out(web_env.board, LEAD, BulkAct("complete", reason="끝"), [ended.sr_id])
    others = [web_env.create_issue(text=f"요청 {n}") for n in range(3)]
    lead = sign_in_as("lead")
    asked = lead.submit_form(
        "/issues/bulk", "/issues", act="assign", q="is:issue", everything="true"
    ).text
    assert "요청 4건을 처리합니다" in asked
    refused = lead.submit_form("/issues/bulk/run", "/issues", act="assign", issue=others)
    assert refused.status_code == 422 and "목록에서 선택해 주세요" in refused.text
    done = lead.submit_form(
        "/issues/bulk/run", "/issues", act="assign", value="eng", issue=[*others, ended.sr_id]
    ).text
    assert "담당자 지정: 3건을 처리했습니다" in done
    assert "처리하지 못한 요청 1건" in done and f"SR-{ended.sr_id}" in done
    assert shown(lead, "/issues?q=assignee:eng+is:open") == others[::-1]


@pytest.mark.slow
def test_changes_of_several_issues_need_the_permission(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    sr_id = web_env.create_issue()
    for account in ("cus", "audit"):
        browser = sign_in_as(account)
        assert "data-pick" not in browser.get_page("/issues").text
        for path in ("/issues/bulk", "/issues/bulk/run"):
            answer = browser.submit_form(path, "/issues", act="take", issue=[sr_id])
            assert answer.status_code == 403
    with pytest.raises(Forbidden):
        bulk_acts.carry_out(web_env.board, CUSTOMER, BulkAct("take"), [sr_id])


def test_an_end_of_several_issues_needs_a_reason_and_follows_the_lifecycle(
    web_env: BoardEnv,
) -> None:
    first, second = web_env.create_issue(), web_env.create_issue()
    with pytest.raises(Invalid):
        bulk_acts.carry_out(web_env.board, LEAD, BulkAct("abort"), [first])
    result = bulk_acts.carry_out(
        web_env.board, LEAD, BulkAct("complete", reason="끝"), [first, second]
    )
    assert [one.sr_id for one in result.failures] == [first, second]
    result = bulk_acts.carry_out(
        web_env.board, LEAD, BulkAct("abort", reason="중복"), [first, second, 999]
    )
    assert (result.changed, [one.sr_id for one in result.failures]) == ((first, second), [999])


def test_all_that_match_are_bounded(web_env: BoardEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_acts, "MOST", 2)
    for n in range(4):
        web_env.create_issue(text=f"요청 {n}")
    found = bulk_acts.matching_numbers(web_env.board, LEAD, IssueQuery())
    assert len(found) == 3
    with pytest.raises(Invalid):
        bulk_acts.carry_out(web_env.board, LEAD, BulkAct("take"), found)


@pytest.mark.parametrize(
    ("account", "words", "found", "hidden"),
    [
        ("lead", "", ["/queue", "/issues/new"], []),
        ("cus", "", ["/issues/new"], ["/queue", "/control", "/audit"]),
        ("lead", "SR-1", ["/issues/1"], []),
        ("cus2", "SR-1", [], ["/issues/1"]),
        ("lead", "db-01", ["/servers/MOF-DB-01", "/servers/MOE-DB-01"], []),
        ("cus", "db-01", [], ["/servers/MOF-DB-01"]),
        ("lead", "김철수", ["assignee%3Aeng"], []),
        ("cus2", "김철수", [], ["assignee%3Aeng"]),
        ("lead", "느려요", ["/issues/1"], []),
        ("cus2", "느려요", [], ["/issues/1"]),
        ("lead", "없는말", [], ["/issues/1"]),
        ("lead", '"is:open', [], []),
    ],
)
@pytest.mark.slow
def test_the_palette_finds_what_a_person_may_open(
    sign_in_as: Browse,
    web_env: BoardEnv,
    account: str,
    words: str,
    found: list[str],
    hidden: list[str],
) -> None:
    IssueScenario(web_env).receive("기재부 운영DB가 느려요").parse()
    browser: Any = sign_in_as(account)
    answer = browser.get("/palette", params={"q": words}, headers={"hx-request": "true"})
    assert answer.status_code == 200 and "<html" not in answer.text
    assert all(one in answer.text for one in found)
    assert not any(f'href="{one}"' in answer.text or one in answer.text for one in hidden)
    assert "<h1>" in browser.get_page(f"/palette?q={words}").text


def test_completion_answers_with_choices(sign_in_as: Browse) -> None:
    found = sign_in_as("lead").get("/issues/complete?q=is:op&at=5").json()
    assert found[0] == {"label": "is:open", "detail": "진행", "words": "is:open ", "at": 8}


def test_no_query_is_made_for_each_row(sign_in_as: Browse, web_env: BoardEnv) -> None:
    web_env.create_issue()
    lead = sign_in_as("lead")
    with recorded_statements(web_env.board) as few:
        lead.get_page("/issues")
    for n in range(10):
        web_env.create_issue(text=f"요청 {n}")
    with recorded_statements(web_env.board) as many:
        lead.get_page("/issues")
    assert len(many) == len(few)


def test_labels_are_added_to_and_taken_from_several_issues(web_env: BoardEnv) -> None:
    board, numbers = web_env.board, [web_env.create_issue(), web_env.create_issue(text="둘째")]
    first, second = (labels.create(board, LEAD, name, "1d76db").label_id for name in ("가", "나"))
    labels.set_labels(board, LEAD, numbers[0], [first])
    done = bulk_acts.carry_out(board, LEAD, BulkAct("label", str(second)), numbers)
    assert done.failures == ()
    listed = issue_list.list_issues(board, LEAD, IssueQuery(words="label:가 label:나")).rows
    assert [row.sr_id for row in listed] == numbers[:1]
    bulk_acts.carry_out(board, LEAD, BulkAct("unlabel", str(second)), numbers)
    assert issue_list.list_issues(board, LEAD, IssueQuery(words="label:나")).rows == ()
    missing = bulk_acts.carry_out(board, LEAD, BulkAct("label", "99999"), numbers)
    assert len(missing.failures) == 2
