from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from board_env import BoardEnv
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from page_env import page_app
from sqlalchemy import text
from starlette.testclient import TestClient

from guardia.board.core.context import BoardContext
from guardia.board.intake import limits
from guardia.board.intake.limits import IntakeBounds, Verdict
from guardia.board.issues.receiving import NewIssue

BOUNDS = IntakeBounds(per_sender=10, per_room=15)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def board(env: BoardEnv, clock: Clock) -> BoardContext:
    return replace(env.board, clock=clock)


def line(number: int, sender: str = "u1", room: str = "기재부-운영") -> NewIssue:
    return NewIssue(
        text="운영DB가 느려요",
        channel="mattermost",
        sender=sender,
        account=sender,
        room=room,
        external_id=f"{sender}-{room}-{number}",
    )


def refused(verdict: Verdict | None) -> bool:
    return verdict is not None and not verdict.accepted


def entries(env: BoardEnv, kind: str) -> int:
    with env.board.database.reading() as session:
        query = text("select count(*) from tb_audit_log where kind = :kind")
        return session.scalar(query, {"kind": kind}) or 0


@pytest.mark.slow
def test_a_flood_is_refused_once_in_words_and_counted(board: BoardContext, clock: Clock) -> None:
    said = [limits.count_request(board, line(n), BOUNDS) for n in range(300)]
    assert said[:10] == [None] * 10
    assert said[10] == Verdict(accepted=False, is_first_refusal=True, per_minute=10)
    assert set(said[11:]) == {Verdict(accepted=False, per_minute=10)}
    clock.now += timedelta(seconds=6)
    # A single request that passes does not end the flood.
    assert limits.count_request(board, line(300), BOUNDS) is None
    assert refused(limits.count_request(board, line(301), BOUNDS))
    clock.now += timedelta(seconds=60)
    after = limits.count_request(board, line(302), BOUNDS)
    assert after == Verdict(accepted=True, refused_before=291)
    assert limits.count_request(board, line(303), BOUNDS) is None


def test_one_senders_flood_leaves_the_others_theirs(board: BoardContext) -> None:
    assert sum(refused(limits.count_request(board, line(n), BOUNDS)) for n in range(50)) == 40
    assert limits.count_request(board, line(0, "u2"), BOUNDS) is None
    other_room = [limits.count_request(board, line(n, "u3", "교육부"), BOUNDS) for n in range(10)]
    assert other_room == [None] * 10


def test_a_room_has_a_bound_of_its_own(board: BoardContext) -> None:
    said = [limits.count_request(board, line(n, f"u{n}"), BOUNDS) for n in range(20)]
    assert [refused(verdict) for verdict in said] == [False] * 15 + [True] * 5
    assert limits.count_request(board, line(0, "u0", "교육부-운영"), BOUNDS) is None


@given(steps=st.lists(st.integers(0, 20), max_size=60))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_rhythm_no_more_pass_than_the_bound(
    board: BoardContext, clock: Clock, steps: list[int]
) -> None:
    clock.now += timedelta(hours=2)
    begin, passed = clock.now, 0
    for number, seconds in enumerate(steps):
        clock.now += timedelta(seconds=seconds)
        one = replace(line(number), external_id=str(clock.now) + str(number))
        passed += not refused(limits.count_request(board, one, BOUNDS))
    assert passed <= 10 + 10 * (clock.now - begin).total_seconds() / 60 + 1


@pytest.fixture
def room(env: BoardEnv) -> Iterator[TestClient]:
    with TestClient(page_app(env.board, requests_per_sender=3, requests_per_room=100)) as found:
        yield found


def post(room: TestClient, number: int, text: str = "운영DB가 느려요", sender: str = "u1") -> str:
    body = {
        "token": "열쇠",
        "post_id": f"{sender}-{number}",
        "channel_name": "기재부-운영",
        "user_id": sender,
        "user_name": "장하늘",
        "text": text,
    }
    answer = room.post("/intake/mattermost", json=body)
    assert answer.status_code == 200
    return str(answer.json().get("text", ""))


def test_the_channel_says_so_once_and_nothing_is_lost_in_silence(
    env: BoardEnv, room: TestClient
) -> None:
    said = [post(room, n) for n in range(8)]
    assert [s.startswith("SR-") for s in said] == [True] * 3 + [False] * 5
    assert "1분에 3건까지" in said[3] and said[4:] == [""] * 4
    with env.board.database.reading() as session:
        assert session.scalar(text("select count(*) from tb_sr_request")) == 3
        kept = session.scalar(text("select refused from tb_intake_rate where refused > 0"))
        assert kept == 5
    # A repeated delivery of a received request is answered as before.
    assert post(room, 0) == said[0]
    with env.board.database.transaction() as session:
        past = "update tb_intake_rate set counted_at = counted_at - interval '1 minute'"
        session.execute(text(past))
    assert "5건은 접수하지 않았습니다" in post(room, 8)
    assert (entries(env, "intake_limited"), entries(env, "intake_resumed")) == (1, 1)


def test_the_stop_word_is_never_refused(room: TestClient) -> None:
    for number in range(8):
        post(room, number)
    assert post(room, 50, "정지").startswith("전체 정지했습니다")
    assert post(room, 51, "정지") == "이미 전체 정지 상태입니다."
