from __future__ import annotations

from collections.abc import Callable

import pytest
from board_env import BoardEnv
from hypothesis import given
from hypothesis import strategies as st
from page_env import PAGE, PASSWORD, PageClient, page_app

from guardia.board.accounts import tokens
from guardia.board.web.rates import RateLimit
from guardia.org.directory import PersonInfo


def test_a_bucket_refills_with_time() -> None:
    now = 0.0
    limit = RateLimit(6, lambda: now)
    assert [limit.take("a") for _ in range(8)] == [0] * 6 + [10, 10]
    assert limit.take("b") == 0
    now = 10.0
    assert [limit.take("a") for _ in range(2)] == [0, 10]
    now = 1000.0
    assert [limit.take("a") for _ in range(7)] == [0] * 6 + [10]


@given(st.lists(st.floats(0, 30), max_size=100), st.integers(1, 20))
def test_whatever_the_rhythm_no_more_pass_than_the_bound(
    pauses: list[float], per_minute: int
) -> None:
    now, passed = 0.0, 0
    limit = RateLimit(per_minute, lambda: now)
    for pause in pauses:
        now += pause
        passed += limit.take("a") == 0
    assert passed <= per_minute + now * per_minute / 60 + 1


def browser(env: BoardEnv, account: str, **settings: int) -> PageClient:
    found = PageClient(page_app(env.board, **settings), raise_server_exceptions=False)
    answer = found.submit_form("/login", "/login", account=account, password=PASSWORD)
    assert answer.status_code == 303
    return found


@pytest.mark.slow
def test_a_persons_forms_are_bounded_and_stopping_is_not(web_env: BoardEnv) -> None:
    eng = browser(web_env, "eng", forms_per_person=2)
    body = {"body": "운영DB가 느려요"}
    said = [eng.submit_form("/issues", "/issues/new", **body) for _ in range(3)]
    assert [answer.status_code for answer in said] == [303, 303, 429]
    assert int(said[2].headers["retry-after"]) > 0 and "초 후에" in said[2].text
    assert eng.get_page("/issues").status_code == 200
    assert eng.submit_form("/kill", "/control", reason="멈춤").status_code == 303


@pytest.mark.slow
def test_a_flood_of_requests_on_the_page_opens_no_flood_of_issues(web_env: BoardEnv) -> None:
    eng = browser(web_env, "eng", requests_per_sender=3)
    body = {"body": "운영DB가 느려요"}
    said = [eng.submit_form("/issues", "/issues/new", **body).status_code for _ in range(6)]
    assert said == [303] * 3 + [429] * 3
    comment = eng.submit_form("/issues/1/comments", "/issues/new", body="다른 양식은 됩니다")
    assert comment.status_code == 303


def test_calls_of_a_token_are_bounded_and_stopping_is_not(web_env: BoardEnv) -> None:
    lead = PersonInfo(id="lead", name="박영희", title="과장", role="team_lead")
    app = page_app(web_env.board, api_calls_per_token=2)
    rights = ["issue.read", "plan.read", "control.kill"]
    one, two = (
        PageClient(app, headers={"authorization": f"Bearer {secret}"})
        for secret in (tokens.create_token(web_env.board, lead, n, rights, 7) for n in "ab")
    )
    path = "/api/v3/kill-switch"
    said = [one.get(path) for _ in range(3)]
    assert [answer.status_code for answer in said] == [200, 200, 429]
    assert said[2].json()["message"] and int(said[2].headers["retry-after"]) > 0
    assert two.get(path).status_code == 200
    stopped = one.put(path, json={"reason": "멈춤"})
    assert stopped.status_code in {200, 201}, stopped.text


@pytest.mark.slow
def test_made_up_tokens_shut_no_real_one_out(
    web_env: BoardEnv, sign_in_as: Callable[[str], PageClient]
) -> None:
    lead = PersonInfo(id="lead", name="박영희", title="과장", role="team_lead")
    secret = tokens.create_token(web_env.board, lead, "a", ["plan.read"], 7)
    client = sign_in_as("lead")
    client.cookies.clear()
    for number in range(120):
        headers = {**PAGE, "authorization": f"Bearer {secret[:-3]}{number:03}"}
        assert client.get("/api/v3/kill-switch", headers=headers).status_code == 401
    headers = {"authorization": f"Bearer {secret}"}
    assert client.get("/api/v3/kill-switch", headers=headers).status_code == 200
