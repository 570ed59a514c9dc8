"""A sentence of a composed answer is shown only if the cited passage says it."""

from __future__ import annotations

import pytest

from guardia.knowledge.retrieval.claims import checked, is_supported

PASSAGE = (
    "만료 30일 전에 새 인증서를 발급받아 개인키와 짝이 맞는지 확인합니다. "
    "웹서버에 올린 뒤 설정을 다시 읽습니다. 재기동은 하지 않습니다. "
    "열린 로그 파일은 지우지 말고 비웁니다. CPU는 80%, 메모리는 85%가 기준입니다. "
    "WEB-01부터 작업하고 방화벽은 차단합니다. 실행 파일은 보낼 수 없습니다. "
    "암호를 5회 틀리면 잠깁니다."
)


@pytest.mark.parametrize(
    "sentence",
    [
        "만료 30일 전에 새 인증서를 발급받습니다.",
        "웹서버에 올린 뒤 설정을 다시 읽습니다.",
        "재기동은 하지 않습니다.",
        "열린 로그 파일은 지우지 말고 비웁니다.",
        "CPU는 80%가 기준입니다.",
        "메모리는 85%가 기준입니다.",
        "WEB-01부터 작업합니다.",
        "실행 파일은 보낼 수 없습니다.",
        "암호를 5회 틀리면 잠깁니다.",
    ],
)
def test_what_the_passage_says_is_supported(sentence: str) -> None:
    assert is_supported(sentence, PASSAGE)


@pytest.mark.parametrize(
    "sentence",
    [
        "만료 90일 전에 새 인증서를 발급받습니다.",  # another number
        "만료 30분 전에 새 인증서를 발급받습니다.",  # another unit
        "만료 서른 날, 90일 전에 인증서를 발급받습니다.",
        "만료 30일 후에 새 인증서를 발급받습니다.",  # the opposite
        "메모리는 80%가 기준입니다.",  # the number of something else
        "암호를 세 번 틀리면 잠깁니다.",  # a numeral
        "WEB-02부터 작업합니다.",  # another name
        "nginx 웹서버에 올린 뒤 설정을 다시 읽습니다.",  # an invented name
        "재기동을 합니다.",  # a negation dropped
        "열린 로그 파일은 지웁니다.",
        "열린 로그 파일은 비우지 말고 지웁니다.",  # negations exchanged
        "웹서버에 올린 뒤 설정을 다시 읽지 않습니다.",  # a negation added
        "새 인증서를 발급받으면 안 됩니다.",
        "실행 파일은 보낼 수 있습니다.",
        "방화벽은 허용합니다.",
        "설정을 바꾼 다음 데이터베이스를 이관하고 계정을 삭제합니다.",  # said nowhere
        "",
        "그렇습니다.",
    ],
)
def test_a_planted_contradiction_is_refused(sentence: str) -> None:
    assert not is_supported(sentence, PASSAGE)


def test_one_unsupported_sentence_withdraws_the_answer() -> None:
    good, bad = ("재기동은 하지 않습니다.", 1), ("재기동을 합니다.", 1)
    assert checked([good], {1: PASSAGE}) == (good,)
    assert checked([good, bad], {1: PASSAGE}) == ()
    assert checked([("재기동은 하지 않습니다.", 2)], {1: PASSAGE}) == ()
