"""Passages are found by words, pieces of words and meaning; rights exclude completely."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from guardia.errors import Misconfigured
from guardia.knowledge.retrieval import loading, nano_encoder
from guardia.knowledge.retrieval.methods import METHODS
from guardia.knowledge.retrieval.nano_encoder import NanoEncoder, has_avx2
from guardia.knowledge.retrieval.searcher import NOTHING, Searcher, entry_of

TEXTS = (
    "인증서 갱신\n만료 30일 전에 새 인증서를 발급받아 웹서버에 올립니다.",
    "테이블스페이스 증설\n데이터 영역 사용률이 높으면 데이터파일을 추가합니다.",
    "백업 실패 조치\n야간 백업이 실패하면 매체 공간을 확인하고 다시 실행합니다.",
    "WAS 재기동\n로드밸런서에서 대상 서버를 빼고 중지한 뒤 시작합니다.",
)
pytestmark = pytest.mark.slow  # Kiwi and the model are loaded


@cache
def searcher(*, words: bool = False) -> Searcher:
    model = None if words else NanoEncoder()
    vectors = model.passages(TEXTS) if model else None
    entries = [
        entry_of(10 + at, at % 2, text, None if vectors is None else vectors[at])
        for at, text in enumerate(TEXTS)
    ]
    return Searcher(entries, model)


def best(question: str, **more: bool) -> int:
    return searcher(**more).search(question).hits[0].key


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize(
    ("question", "key"),
    [
        ("인증서를 새로 발급받으려면", 10),
        ("테이블스패이스 늘리는 법", 11),
        ("간밤에 백업이 죽었어요", 12),
        ("와스를 껐다 켜려고요", 13),
    ],
)
def test_a_question_finds_its_passage(question: str, key: int, words: bool) -> None:
    assert best(question, words=words) == key


@pytest.mark.parametrize("words", [False, True])
def test_an_off_topic_question_fits_nothing(words: bool) -> None:
    found = searcher(words=words).search("김치찌개는 어떻게 끓이나요")
    assert not found.fits
    assert searcher(words=words).search("인증서 갱신은 만료 며칠 전에 하나요").fits


def test_what_is_not_permitted_influences_nothing() -> None:
    only = searcher().search("인증서 갱신", groups=[1])
    assert {hit.key for hit in only.hits} == {11, 13} and not only.fits
    assert searcher().search("인증서 갱신", groups=[]) is NOTHING
    assert Searcher([], None).search("무엇이든") is NOTHING


def test_each_retriever_answers_alone() -> None:
    for name, method in METHODS.items():
        hits = searcher().search("백업 실패", method=method).hits
        assert hits and (name == "pieces" or hits[0].key == 12), name


def test_a_passage_is_returned_without_its_title() -> None:
    one = entry_of(5, 0, "제목\n본문")
    assert Searcher([one], None).body(5) == "제목\n본문"


def test_vectors_have_length_one_and_nul_ends_nothing() -> None:
    model = NanoEncoder()
    plain, cut = model.passages(["인증서 갱신 절차", "인증서\0 갱신 절차"])
    assert np.linalg.norm(plain) == pytest.approx(1, abs=1e-3)
    assert plain @ cut > 0.99
    assert model.passages(["", "가" * 100_000]).shape == (2, model.dimension)


def test_a_cpu_without_avx2_searches_words_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    old = tmp_path / "cpuinfo"
    old.write_text("flags\t\t: fpu sse2 avx\n")
    assert not has_avx2(old) and not has_avx2(tmp_path / "none")
    monkeypatch.setattr(nano_encoder, "has_avx2", lambda: False)
    loading.load_encoder.cache_clear()
    assert loading.load_encoder(None) is None
    assert "AVX2" in caplog.text
    with pytest.raises(Misconfigured, match="AVX2"):
        NanoEncoder()
    loading.load_encoder.cache_clear()
