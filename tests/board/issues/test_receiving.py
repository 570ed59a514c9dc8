from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from board_env import BoardEnv

from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import State
from guardia.board.intake import chat_log
from guardia.board.issues import comments, receiving, view
from guardia.board.issues.receiving import NewIssue
from guardia.errors import Invalid, NotFound


def request(**more: str) -> NewIssue:
    return NewIssue(**{"text": "운영DB가 느려요", "channel": "mattermost", "sender": "s", **more})


def count(env: BoardEnv, table: str) -> int:
    with psycopg.connect(env.dsn) as connection:
        found = connection.execute(f"select count(*) from {table}").fetchone()
    assert found is not None
    return int(found[0])


def test_a_request_becomes_an_issue_with_a_received_task(env: BoardEnv) -> None:
    sr_id = receiving.receive_issue(env.board, request())
    assert view.issue(env.board, sr_id).state is State.RECEIVED
    assert count(env, "tb_ops_task where status = 'RECEIVED'") == 1


def test_a_repeated_delivery_opens_one_issue_even_concurrently(env: BoardEnv) -> None:
    def deliver(_: int) -> int | None:
        return chat_log.receive_line(
            env.board, request(external_id="p1", room="방"), rule="webhook"
        )

    with ThreadPoolExecutor(6) as pool:
        numbers = set(pool.map(deliver, range(12)))
    assert numbers == {1}
    assert count(env, "tb_sr_request") == count(env, "tb_msg_chat_log") == 1


def test_a_form_sent_twice_concurrently_opens_one_issue(env: BoardEnv) -> None:
    with ThreadPoolExecutor(6) as pool:
        numbers = set(
            pool.map(
                lambda _: receiving.receive_issue(env.board, request(external_id="p1")), range(12)
            )
        )
    assert len(numbers) == 1
    assert count(env, "tb_sr_request") == 1


def test_a_chat_line_without_a_rule_is_only_logged(env: BoardEnv) -> None:
    assert chat_log.receive_line(env.board, request(external_id="p2")) is None
    assert (count(env, "tb_msg_chat_log"), count(env, "tb_sr_request")) == (1, 0)


@pytest.mark.parametrize("text", ["", "  \n", "\x00\x07"])
def test_an_empty_request_is_refused(env: BoardEnv, text: str) -> None:
    with pytest.raises(Invalid):
        receiving.receive_issue(env.board, request(text=text))


def test_hostile_text_is_stored_as_text(env: BoardEnv) -> None:
    sr_id = receiving.receive_issue(
        env.board, request(text="'; drop table tb_sr_request; --\x00\ud800")
    )
    assert view.issue(env.board, sr_id).title.startswith("'; drop table")


def test_a_comment_needs_an_issue_and_text(env: BoardEnv) -> None:
    sr_id = receiving.receive_issue(env.board, request())
    comments.add_comment(env.board, sr_id, Actor.person("lead"), "확인 중")
    assert count(env, "tb_comment") == 1
    with pytest.raises(Invalid):
        comments.add_comment(env.board, sr_id, Actor.person("lead"), " ")
    with pytest.raises(NotFound):
        comments.add_comment(env.board, 999, Actor.person("lead"), "없는 이슈")
