from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx
import pytest
from board_env import BoardEnv
from fastapi import FastAPI
from page_env import IssueScenario, PageClient, serve_app
from sqlalchemy import text
from waiting import PATIENCE

from guardia.board.site import live, replay
from guardia.board.site.live import LiveFeed, LivePage, StreamBounds
from guardia.org.directory import PersonInfo
from guardia.org.model import Person


def position(env: BoardEnv) -> int:
    with env.board.database.reading() as session:
        return session.scalar(text("select size from tb_audit_head")) or 0


def person(env: BoardEnv, name: str) -> PersonInfo:
    with env.board.database.reading() as session:
        return session.get_one(Person, name).as_info()


def test_a_page_learns_whether_it_missed_anything(web_env: BoardEnv) -> None:
    eng, cus = person(web_env, "eng"), person(web_env, "cus")
    own = web_env.create_issue(institution="MOF")
    seen = position(web_env)
    other = web_env.create_issue(institution="MOE")

    def missed(who: PersonInfo, sr: int | None, since: int) -> bool:
        return replay.has_entries(web_env.board, LivePage(who, sr), since)

    assert missed(eng, None, seen) and missed(eng, other, seen)
    assert not missed(eng, own, seen), "another issue changed"
    assert not missed(cus, None, seen), "of another institution"
    assert missed(cus, None, seen - 1) and missed(cus, own, seen - 1)
    assert not missed(eng, None, position(web_env))


def test_far_behind_reads_again(web_env: BoardEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "MOST", 2)
    own = web_env.create_issue()
    seen = position(web_env)
    for _ in range(3):
        web_env.create_issue()
    assert replay.has_entries(web_env.board, LivePage(person(web_env, "eng"), own), seen)


def test_an_event_is_confirmed_only_by_the_next_pause(
    web_env: BoardEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that loses its connection while it reads again gets the event once more."""
    monkeypatch.setattr(live, "_PAUSE", 0)
    monkeypatch.setattr(live, "_HEARTBEAT", 0.05)
    monkeypatch.setattr(live, "signed_in_person", lambda *_: object())

    async def lines() -> list[str]:
        feed = LiveFeed(web_env.board, StreamBounds(5, 5))
        page = LivePage(person(web_env, "eng"), None)
        stream = feed.stream(page, "token", 7)
        found = [await anext(stream)]
        await feed._on_event({"seq": 9, "sr_id": 3, "kind": "comment"})
        found += [await anext(stream), await anext(stream)]
        await stream.aclose()
        return found

    first, event, pause = asyncio.run(lines())
    assert first.startswith("retry:")
    assert event == "id: 7\nevent: issue\ndata: 9\n\n"
    assert "id: 9\n" in pause and "event:" not in pause


@pytest.mark.slow
@pytest.mark.parametrize("changes", [True, False])
def test_a_page_that_reconnects_to_another_process_gets_what_it_missed(
    app: FastAPI, sign_in_as: Callable[[str], PageClient], web_env: BoardEnv, changes: bool
) -> None:
    scenario = IssueScenario(web_env).receive()
    browser = sign_in_as("eng")
    seen = position(web_env)
    if changes:
        scenario.parse()
    else:
        web_env.create_issue()
    cookies = {"guardia_session": browser.cookies["guardia_session"]}
    headers = {"last-event-id": str(seen)}
    with (
        serve_app(app) as site,
        httpx.Client(cookies=cookies, timeout=PATIENCE) as client,
        client.stream("GET", f"{site}/events?sr={scenario.sr_id}", headers=headers) as stream,
    ):
        lines = stream.iter_lines()
        assert next(lines).startswith("retry:")
        assert _next_event(lines, client, web_env, scenario.sr_id, changes) == f"id: {seen}"


def _next_event(lines: Any, _client: Any, env: BoardEnv, sr_id: int, changes: bool) -> str:
    """Return the id of the next event; without one missed, the first is that of a new comment."""
    from guardia.board.core.actors import Actor
    from guardia.board.issues import comments

    if not changes:
        comments.add_comment(env.board, sr_id, Actor.person("eng"), "새 의견")
    found = ""
    with suppress(StopIteration):
        for line in lines:
            if line.startswith("id:"):
                found = line
            if line.startswith("event:"):
                break
    return found
