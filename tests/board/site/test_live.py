from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from queue import Empty, Queue
from typing import Any

import httpx
import psycopg
import pytest
from board_env import BoardEnv
from fastapi import FastAPI
from page_env import IssueScenario, PageClient, serve_app
from sqlalchemy import text
from waiting import PATIENCE, wait_until

from guardia.board.execution import live_output
from guardia.board.execution.live_output import OutputTail
from guardia.board.runs import beats
from guardia.board.site import live
from guardia.org.directory import PersonInfo


@pytest.fixture
def site(app: FastAPI) -> Iterator[str]:
    """The application behind a real server."""
    with serve_app(app) as address:
        yield address


@contextmanager
def listening(
    site: str, browser: PageClient, query: str = ""
) -> Iterator[Callable[..., str | None]]:
    """Open an event stream; calling it waits for the next event."""
    arrived: Queue[str] = Queue()
    cookies = {"guardia_session": browser.cookies["guardia_session"]}
    ended = threading.Event()
    with (
        httpx.Client(cookies=cookies, timeout=PATIENCE) as client,
        client.stream("GET", f"{site}/events{query}") as stream,
    ):
        assert stream.status_code == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        assert next(lines).startswith("retry:")

        def read() -> None:
            try:
                for line in lines:
                    if line.startswith("event:"):
                        arrived.put(line)
            except httpx.HTTPError:
                pass
            ended.set()
            arrived.put("")

        reader = threading.Thread(target=read, daemon=True)
        reader.start()

        def following(seconds: float = PATIENCE) -> str | None:
            try:
                return arrived.get(timeout=seconds)
            except Empty:
                return None

        yield following


def position(web_env: BoardEnv) -> int:
    with web_env.board.database.reading() as session:
        return session.scalar(text("select size from tb_audit_head")) or 0


@pytest.mark.slow
def test_an_issue_page_gets_events_of_that_issue_only(
    site: str, sign_in_as: Callable[[str], PageClient], web_env: BoardEnv
) -> None:
    scenario = IssueScenario(web_env).receive()
    other = web_env.create_issue()
    query = f"?sr={scenario.sr_id}&seen={position(web_env)}"
    with listening(site, sign_in_as("eng"), query) as following:
        assert following(0.5) is None
        IssueScenario(web_env, sr_id=other).parse()
        assert following(0.7) is None
        scenario.parse()
        assert following() == "event: issue"


@pytest.mark.slow
def test_the_list_gets_all_events(
    site: str, sign_in_as: Callable[[str], PageClient], web_env: BoardEnv
) -> None:
    with listening(site, sign_in_as("eng"), f"?seen={position(web_env)}") as following:
        web_env.create_issue()
        assert following() == "event: issue"


@pytest.mark.slow
def test_only_agent_pages_get_beats(
    site: str, sign_in_as: Callable[[str], PageClient], web_env: BoardEnv
) -> None:
    web_env.create_issue()
    eng, seen = sign_in_as("eng"), position(web_env)
    with (
        listening(site, eng, f"?seen={seen}") as issues,
        listening(site, eng, f"?beats=true&seen={seen}") as agents,
    ):
        assert agents() == "event: issue", "it may have missed one, and reads again"
        begun = beats.begin(web_env.board, "dispatcher")
        assert begun is not None and agents() == "event: issue"
        beats.end(web_env.board, begun, "idle", task_id=None, steps=0)
        assert agents() == "event: issue"
        assert issues(0.5) is None and position(web_env) == seen


@pytest.mark.slow
def test_customers_get_events_of_their_own_institution_only(
    site: str, sign_in_as: Callable[[str], PageClient], web_env: BoardEnv
) -> None:
    seen = f"?seen={position(web_env)}"
    with (
        listening(site, sign_in_as("cus"), seen) as theirs,
        listening(site, sign_in_as("cus2"), seen) as strangers,
    ):
        web_env.create_issue()
        # Its institution is not known yet.
        assert theirs(0.7) is None
        IssueScenario(web_env, sr_id=1).parse()
        assert theirs() == "event: issue"
        assert strangers(0.7) is None


def test_a_burst_becomes_few_messages(web_env: BoardEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events during the pause after a message become one further message."""
    person = PersonInfo(id="eng", name="김철수", title="대리", role="engineer")
    pauses = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", pause)

    async def messages() -> list[str]:
        feed, page = (
            live.LiveFeed(web_env.board, live.StreamBounds(16, 100)),
            live.LivePage(person, None),
        )
        stream = feed.stream(page, "token", seen=0)
        told = [await anext(stream)]
        for _ in range(2):
            for seq in range(1, 31):
                await feed._on_event({"kind": "received", "seq": seq, "sr_id": seq})
            told.append(await anext(stream))
        feed.close()
        return told + [message async for message in stream]

    event = "id: 0\nevent: issue\ndata: 30\n\n"
    assert asyncio.run(messages()) == ["retry: 2000\n\n", event, event]
    assert pauses == [live._PAUSE] * 2 and live._PAUSE > 0


@pytest.mark.slow
def test_events_between_page_and_stream_are_sent_at_once(
    site: str, sign_in_as: Callable[[str], PageClient], web_env: BoardEnv
) -> None:
    before = position(web_env)
    scenario = IssueScenario(web_env).receive()
    time.sleep(0.5)
    for query in (f"?seen={before}", f"?sr={scenario.sr_id}&seen={before}"):
        with listening(site, sign_in_as("eng"), query) as following:
            assert following() == "event: issue"


@pytest.mark.slow
def test_after_the_database_was_away_every_page_reads_again(
    site: str, sign_in_as: Callable[[str], PageClient], web_env: BoardEnv, database: Any
) -> None:
    with listening(site, sign_in_as("eng"), f"?seen={position(web_env)}") as following:
        with psycopg.connect(database.superuser, autocommit=True) as connection:
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where query ilike 'listen%' and datname = current_database()"
            )
        assert following() == "event: issue"
        time.sleep(0.5)
        web_env.create_issue()
        assert following() == "event: issue"


@pytest.mark.slow
def test_a_stream_ends_with_its_session(
    site: str,
    sign_in_as: Callable[[str], PageClient],
    web_env: BoardEnv,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "_HEARTBEAT", 0.3)
    browser = sign_in_as("eng")
    with listening(site, browser, f"?seen={position(web_env)}") as following:
        assert following(1) is None
        with web_env.board.database.transaction() as session:
            session.execute(text("delete from tb_session"))
        assert following() == ""


@pytest.mark.slow
def test_one_connection_listens_for_all_pages(
    site: str, sign_in_as: Callable[[str], PageClient], web_env: BoardEnv, database: Any
) -> None:
    browser, seen = sign_in_as("eng"), f"?seen={position(web_env)}"
    with (
        listening(site, browser, seen),
        listening(site, browser, seen),
        listening(site, browser, seen),
        psycopg.connect(database.superuser) as connection,
    ):
        count = connection.execute(
            "select count(*) from pg_stat_activity where query ilike 'listen%'"
            " and datname = current_database()"
        ).fetchone()
    assert count == (1,)


def test_too_many_pages_are_refused(
    site: str,
    sign_in_as: Callable[[str], PageClient],
    app: FastAPI,
) -> None:
    app.state.feed.bounds = live.StreamBounds(per_person=16, total=0)
    answer = sign_in_as("eng").get("/events")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "30"
    assert json.loads(answer.text)["message"]


@pytest.mark.slow
def test_closed_pages_are_forgotten(
    site: str, sign_in_as: Callable[[str], PageClient], app: FastAPI
) -> None:
    cookies = {"guardia_session": sign_in_as("eng").cookies["guardia_session"]}
    with (
        httpx.Client(cookies=cookies, timeout=PATIENCE) as client,
        client.stream("GET", f"{site}/events") as stream,
    ):
        lines = stream.iter_lines()
        assert next(lines).startswith("retry:")
        assert len(app.state.feed._pages) == 1
    assert wait_until(lambda: not app.state.feed._pages)


@pytest.mark.slow
def test_a_persons_newest_pages_are_kept_and_the_oldest_closed(
    site: str, sign_in_as: Callable[[str], PageClient], app: FastAPI, web_env: BoardEnv
) -> None:
    app.state.feed.bounds = live.StreamBounds(per_person=2, total=3)
    lead, eng, seen = sign_in_as("lead"), sign_in_as("eng"), f"?seen={position(web_env)}"
    with (
        listening(site, eng, seen) as other,
        listening(site, lead, seen) as oldest,
        listening(site, lead, seen) as second,
        listening(site, lead, seen) as newest,
    ):
        assert oldest() == "event: displaced" and oldest() == ""
        assert (other(0.3), second(0.3), newest(0.3)) == (None, None, None)
        assert len(app.state.feed._pages) == 3
        # All places are taken, so a person without one is refused, and one with some is not.
        assert sign_in_as("pm").get("/events").status_code == 503
        with listening(site, lead, seen):
            assert second() == "event: displaced"
        assert other(0.1) is None


@pytest.mark.slow
def test_a_closed_page_is_not_opened_again_by_its_browser(
    sign_in_as: Callable[[str], PageClient],
) -> None:
    headers = {"last-event-id": "displaced"}
    assert sign_in_as("lead").get("/events", headers=headers).status_code == 204


@pytest.mark.slow
def test_the_output_of_a_running_command_reaches_the_staff_pages_of_its_issue(
    site: str, sign_in_as: Callable[[str], PageClient], web_env: BoardEnv
) -> None:
    scenario = IssueScenario(web_env).receive()
    scenario.parse()
    engineer, customer = sign_in_as("eng"), sign_in_as("cus")
    query = f"?sr={scenario.sr_id}&seen={position(web_env)}"
    tail = OutputTail(scenario.sr_id, 1, 99, "logs.tail", "MOF-WAS-01", 4, "줄 <b>1</b>\n")
    with listening(site, engineer, query) as staff, listening(site, customer, query) as other:
        live_output.announce(web_env.board, tail)
        assert staff() == "event: output"
        assert other(0.5) is None
        page = f"{site}/issues/{scenario.sr_id}/output"
        cookies = {"guardia_session": engineer.cookies["guardia_session"]}
        shown = httpx.get(page, cookies=cookies).text
        assert "줄 &lt;b&gt;1&lt;/b&gt;" in shown and "MOF-WAS-01" in shown
        refused = {"guardia_session": customer.cookies["guardia_session"]}
        assert httpx.get(page, cookies=refused).status_code == 404
        live_output.announce(web_env.board, replace(tail, text="", ended=True))
        assert staff() == "event: output"
        assert "MOF-WAS-01" not in httpx.get(page, cookies=cookies).text
