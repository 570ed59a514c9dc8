"""The change calendar: what is shown, conflicts before a decision, and the feed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from board_env import CUSTOMER, LEAD, PM, SECOND_SERVER, SERVER, BoardEnv
from icalendar import Calendar
from page_env import IssueScenario, PageClient
from sqlalchemy import text

from guardia.board.alerts import maintenance
from guardia.board.change_calendar import feed, view
from guardia.board.execution import planned_changes
from guardia.board.site_rules import changes, forms
from guardia.errors import Forbidden, Invalid, NotFound

Browse = Callable[[str], PageClient]
NOW = datetime.now(UTC)


def planned(env: BoardEnv, hours: float | None = None) -> int:
    """File a plan for the database server; return its task, which starts in `hours`."""
    task = env.create_filed_plan()[0].task_id
    if hours is not None:
        at = NOW + timedelta(hours=hours)
        with env.board.database.transaction() as session:
            session.execute(
                text("update tb_ops_task set run_after = :at where task_id = :task"),
                {"at": at, "task": task},
            )
    return task


def freeze(env: BoardEnv, period: str) -> None:
    given = {
        "name": "closing",
        "kind": "freeze",
        "sentence": "결산 기간에는 변경하지 않습니다.",
        "institution": "MOF",
        "periods": period,
    }
    changes.add_rule(env.board, LEAD, forms.parse_rule(given, frozenset()), "결산")


def shown(env: BoardEnv, **words: str) -> list[str]:
    page = view.read_page(env.board, LEAD, **{"shape": "agenda", **words})
    found = dict.fromkeys(entry.key for day in page.days for entry in day.entries)
    return [*found, *(entry.key for entry in page.without_time)]


@pytest.mark.slow
def test_changes_windows_and_freezes_are_in_one_calendar(env: BoardEnv) -> None:
    soon, untimed = planned(env, 5), planned(env)
    until = NOW + timedelta(hours=3)
    number = maintenance.declare_window(
        env.board, LEAD, maintenance.WindowRequest(NOW, until, "정기 점검", server="MOF-DB-01")
    )
    assert set(shown(env)) == {f"change-{soon}", f"change-{untimed}", f"window-{number}"}
    first, last = (NOW + timedelta(days=n) for n in (2, 4))
    freeze(env, f"{first:%Y-%m-%d} 00:00 ~ {last:%Y-%m-%d} 00:00")
    assert any(key.startswith("freeze-closing") for key in shown(env, institution="MOF"))
    assert f"change-{soon}" in shown(env, server=SERVER.server_id)
    assert f"change-{soon}" not in shown(env, server=SECOND_SERVER.server_id)
    for shape in view.SHAPES:
        page = view.read_page(env.board, PM, shape)
        assert len(page.days) in {"month": (28, 35, 42), "week": (7,), "agenda": (30,)}[shape]
    with pytest.raises(Invalid):
        view.read_page(env.board, PM, "year")
    with pytest.raises(Invalid):
        view.read_page(env.board, PM, "month", "2026-13-01")


def test_two_changes_of_one_server_collide_only_at_the_same_time(env: BoardEnv) -> None:
    first, second, far = planned(env, 5), planned(env, 5.5), planned(env, 30)
    page = view.read_page(env.board, LEAD, "agenda")
    clashing = {e.key for day in page.days for e in day.entries if e.has_conflict}
    assert clashing == {f"change-{first}", f"change-{second}"}
    with env.board.database.reading() as session:

        def conflicts(server: str, hours: float | None, own: int = 0) -> list[tuple[int, str]]:
            at = None if hours is None else NOW + timedelta(hours=hours)
            found = planned_changes.conflicts_of(session, server, at, [own])
            return [(one.change.task_id, one.relation) for one in found]

        assert conflicts(SERVER.server_id, 5, first) == [(second, "same")]
        assert conflicts(SERVER.server_id, 30, far) == []
        assert conflicts(SERVER.server_id, None, far) == []
        assert conflicts(SECOND_SERVER.server_id, 5) == []
        assert conflicts("no-such-server", 5) == []


def test_servers_of_one_group_or_service_depend_on_each_other(env: BoardEnv) -> None:
    first = planned(env, 5)

    def relation(statement: str) -> str | None:
        with env.board.database.transaction() as session:
            session.execute(text(statement), {"id": SECOND_SERVER.server_id})
            at = NOW + timedelta(hours=5)
            found = planned_changes.conflicts_of(session, SECOND_SERVER.server_id, at)
            session.rollback()
        assert [one.change.task_id for one in found] in ([], [first])
        return found[0].relation if found else None

    put = "update tb_server_info set"
    same = f"{put} groups = '[\"portal\"]'"
    assert relation(same) == "group"
    assert relation(f'{put} services = \'[{{"name": "budgetdb"}}]\' where server_id = :id') == (
        "service"
    )
    bastion = f'{put} login = \'{{"bastions": ["MOF-DB-01"]}}\' where server_id = :id'
    assert relation(bastion) == "bastion"
    assert relation(f"{put} groups = '[]'") is None


@pytest.mark.slow
def test_the_decision_shows_what_collides(sign_in_as: Browse, web_env: BoardEnv) -> None:
    other = planned(web_env)
    scenario = IssueScenario(web_env).waiting()
    page = sign_in_as("lead").get_page(f"/issues/{scenario.sr_id}").text
    decision = page[page.index('class="card decision"') :]
    assert "겹치는 변경 1" in decision and "같은 서버" in decision
    with web_env.board.database.transaction() as session:
        session.execute(
            text("update tb_ops_task set run_after = :at where task_id = :task"),
            {"at": NOW + timedelta(hours=9), "task": other},
        )
    assert "겹치는 변경" not in sign_in_as("lead").get_page(f"/issues/{scenario.sr_id}").text


@pytest.mark.slow
def test_the_page_in_every_shape(sign_in_as: Browse, web_env: BoardEnv) -> None:
    browser = sign_in_as("lead")
    assert "예정된 변경이 없습니다" in browser.get_page("/changes").text
    planned(web_env, 1)
    for shape in view.SHAPES:
        page = browser.get_page(f"/changes?view={shape}").text
        assert "MOF-DB-01" in page and "운영DB가 느려요" in page
    assert browser.get("/changes?day=x").status_code == 422
    assert sign_in_as("cus").get("/changes").status_code == 403
    rows = browser.get("/api/v3/changes").json()
    assert rows[0]["type"] == "change" and rows[0]["place"] == "MOF-DB-01"
    found = browser.get("/api/v3/changes/conflicts?server=MOF-DB-01").json()
    assert found == [] or found[0]["relation"] == "same"


@pytest.mark.slow
def test_the_feed_has_a_token_of_its_own(
    sign_in_as: Browse, anonymous: PageClient, web_env: BoardEnv
) -> None:
    planned(web_env, 2)
    browser = sign_in_as("eng")
    page = browser.submit_form("/changes/feed", "/changes", act="create").text
    address = re.search(r"/changes/feed/[\w-]+\.ics", page)
    assert address is not None
    answer = anonymous.get(address[0])
    assert answer.headers["content-type"].startswith("text/calendar")
    events = Calendar.from_ical(answer.text).walk("VEVENT")
    assert [str(one["location"]) for one in events] == ["MOF-DB-01"]
    assert address[0] not in browser.get_page("/changes").text, "it is shown only once"
    assert anonymous.get("/changes/feed/wrong.ics").status_code == 404
    browser.submit_form("/changes/feed", "/changes", act="create")
    assert anonymous.get(address[0]).status_code == 404, "a new address replaces it"


def test_a_feed_ends_with_its_owner(env: BoardEnv) -> None:
    token = feed.new_address(env.board, PM)
    assert b"BEGIN:VCALENDAR" in feed.read_feed(env.board, token, "http://board")
    with env.board.database.transaction() as session:
        session.execute(text("update tb_person set active = false where person_id = 'pm'"))
    with pytest.raises(NotFound):
        feed.read_feed(env.board, token, "http://board")
    with pytest.raises(Forbidden):
        feed.new_address(env.board, CUSTOMER)
