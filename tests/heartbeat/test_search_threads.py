"""Workers index what is published and answer questions with what the asker may read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from board_env import CUSTOMER, ENGINEER, BoardEnv
from search_env import BACKUP, CERTIFICATE, DISK, change, publish, searching
from waiting import wait_until

from guardia.board.search import questions, related, related_view, view
from guardia.board.search.related_view import RelatedView
from guardia.board.search.view import AnswerView
from guardia.errors import Missing, NotFound
from guardia.heartbeat.search_threads import SearchThreads
from guardia.org.directory import PersonInfo
from guardia.settings import Settings

QUESTION = "자물쇠 기간이 끝나가는데 새 인증서는 어떻게 올리나요"
pytestmark = pytest.mark.slow


@pytest.fixture
def threads(env: BoardEnv, tmp_path: Path) -> Iterator[SearchThreads]:
    for title, text in (CERTIFICATE, DISK, BACKUP):
        publish(env, title, text)
    with searching(env, tmp_path) as running:
        yield running


def ask(env: BoardEnv, person: PersonInfo, text: str) -> AnswerView:
    number = questions.ask(env.board, person, text)
    assert wait_until(lambda: questions.wait(env.board, number, 0))
    return view.get_answer(env.board, person, number)


def titles(found: AnswerView) -> list[str]:
    return [one.title for one in found.passages]


def documents(found: AnswerView) -> set[int]:
    return {one.document_id for one in found.passages}


def test_an_answer_quotes_a_passage_and_leads_to_its_place(
    env: BoardEnv, threads: SearchThreads
) -> None:
    found = ask(env, ENGINEER, QUESTION)
    assert found.fits and titles(found)[0] == "인증서 갱신 절차"
    best = found.passages[0]
    assert any("새 인증서를 발급받아" in quote for quote in best.quoted)
    assert best.path == f"/documents/{best.document_id}?version=1&start=1#p1"
    assert "".join(text for text, _ in best.parts) == best.text


def test_nothing_fits_an_off_topic_question(env: BoardEnv, threads: SearchThreads) -> None:
    assert not ask(env, ENGINEER, "이번 주말 날씨가 어떤가요").fits


def test_only_readable_documents_are_found(env: BoardEnv, threads: SearchThreads) -> None:
    publish(env, "교육부 전용 인증서 갱신", CERTIFICATE[1], audience="institution", inst_id="MOE")
    publish(env, "내부 인증서 갱신", CERTIFICATE[1], audience="roles", roles=["engineer"])
    assert wait_until(lambda: "내부 인증서 갱신" in titles(ask(env, ENGINEER, QUESTION)))
    assert {"교육부 전용 인증서 갱신", "내부 인증서 갱신"}.isdisjoint(
        titles(ask(env, CUSTOMER, QUESTION))
    )


def test_what_is_read_later_is_refused_again(env: BoardEnv, threads: SearchThreads) -> None:
    found = ask(env, CUSTOMER, QUESTION)
    change(env, found.passages[0].document_id, audience="roles", roles=["engineer"])
    again = view.get_answer(env.board, CUSTOMER, found.question_id)
    assert "인증서 갱신 절차" not in titles(again)
    with pytest.raises(NotFound):
        view.get_answer(env.board, ENGINEER, found.question_id)


def test_an_expired_or_withdrawn_document_is_not_found(
    env: BoardEnv, threads: SearchThreads
) -> None:
    number = ask(env, ENGINEER, QUESTION).passages[0].document_id
    change(env, number, expires_at=env.board.clock() - timedelta(days=1))
    assert "인증서 갱신 절차" not in titles(ask(env, ENGINEER, QUESTION))


def test_agents_find_what_is_for_their_institution(env: BoardEnv, threads: SearchThreads) -> None:
    publish(env, "교육부 인증서", CERTIFICATE[1], audience="institution", inst_id="MOE")

    def found(institution: str | None) -> int:
        return len(threads.find(QUESTION, institution, None, 10))

    assert wait_until(lambda: found("MOE") == found("MOF") + 1)
    assert threads.find("주말 날씨", "MOF", None, 3) == ()


def test_equal_texts_are_encoded_once_and_unused_ones_forgotten(
    env: BoardEnv, threads: SearchThreads
) -> None:
    def stored() -> int:
        with psycopg.connect(env.dsn) as connection:
            row = connection.execute("select count(*) from tb_indexed_text").fetchone()
        return int(row[0]) if row else 0

    assert wait_until(lambda: stored() == 3)
    twin = publish(env, *DISK)
    extra = publish(env, "스왑 점검", "스왑 사용량을 확인합니다.")
    assert wait_until(lambda: stored() == 4)
    assert wait_until(lambda: twin in documents(ask(env, ENGINEER, "디스크")))
    change(env, extra, state="REMOVED", published_id=None)
    assert wait_until(lambda: stored() == 3)


def test_each_question_is_answered_once_by_any_of_two_workers(
    env: BoardEnv, threads: SearchThreads, tmp_path: Path
) -> None:
    with searching(env, tmp_path):
        asked = [questions.ask(env.board, ENGINEER, QUESTION) for _ in range(8)]
        assert all(wait_until(lambda n=n: questions.wait(env.board, n, 0)) for n in asked)  # type: ignore[misc]
    states = {view.get_answer(env.board, ENGINEER, number).state for number in asked}
    assert states == {"ANSWERED"}
    assert questions.has_worker(env.board)


def test_a_question_must_say_something(env: BoardEnv) -> None:
    assert not questions.has_worker(env.board)
    with pytest.raises(Missing):
        questions.ask(env.board, ENGINEER, " \n ")


def test_what_is_related_to_an_issue_is_found(env: BoardEnv, threads: SearchThreads) -> None:
    past = env.create_issue(text="인증서 갱신이 필요합니다")
    with psycopg.connect(env.dsn) as connection:
        connection.execute("update tb_sr_request set closed_at = now(), inst_id = 'MOF'")
    mine = env.create_issue(text="웹서버 인증서 갱신 절차를 알려 주세요")

    def found() -> RelatedView:
        related.want(env.board, ENGINEER, mine)
        return related_view.get_related(env.board, ENGINEER, mine)

    assert wait_until(lambda: found().is_known)
    assert [one.title for one in found().documents] == ["인증서 갱신 절차"]
    assert [one.sr_id for one in found().issues] == [past]


def test_a_published_document_is_found_at_once_without_looking(
    env: BoardEnv, tmp_path: Path
) -> None:
    publish(env, *DISK)
    settings = Settings(home=tmp_path)
    with SearchThreads(settings, env.board, threading.Event(), 3600.0) as first:
        assert wait_until(lambda: len(first.find("디스크 정리", None, None, 5)) == 1)
        with SearchThreads(settings, env.board, threading.Event(), 3600.0) as second:
            publish(env, *CERTIFICATE)
            # One of them indexes, the other is informed of it.
            for threads in (first, second):
                assert wait_until(lambda t=threads: len(t.find(QUESTION, None, None, 5)) == 1)  # type: ignore[misc]
