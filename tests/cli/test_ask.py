"""`guardia ask` and `guardia eval retrieval`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from board_env import BoardEnv
from command_line import command_env, invoke, output, refusal
from search_env import BACKUP, CERTIFICATE, DISK, publish, searching

from guardia.errors import Invalid


@pytest.fixture
def env(database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BoardEnv]:
    with command_env(database, tmp_path, monkeypatch) as env:
        yield env


@pytest.mark.slow
def test_ask_quotes_with_a_link_or_says_that_nothing_fits(env: BoardEnv, tmp_path: Path) -> None:
    for title, text in (CERTIFICATE, DISK):
        publish(env, title, text)
    assert "작업자가 없습니다" in invoke("ask", "인증서", "--as", "eng").stderr
    with searching(env, tmp_path):
        shown = output("ask", "인증서 갱신 절차", "--as", "eng")
        assert (
            "1. 인증서 갱신 절차 > 절차" in shown and "/documents/1?version=1&start=1#p1" in shown
        )
        found = json.loads(output("ask", "인증서 갱신 절차", "--as", "eng", "--json"))
        assert found["fits"] and found["passages"][0]["quotes"]
        nothing = invoke("ask", "점심 메뉴 추천", "--as", "eng")
        assert nothing.exit_code == 1 and "맞는 문서를 찾지 못했습니다" in nothing.stdout


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    return path


@pytest.fixture
def passages(tmp_path: Path) -> Path:
    texts = {"cert": CERTIFICATE, "disk": DISK, "backup": BACKUP}
    rows = [{"id": name, "title": title, "text": text} for name, (title, text) in texts.items()]
    return lines(tmp_path / "passages.jsonl", *rows)


@pytest.mark.slow
def test_retrieval_is_measured_by_style_and_retriever(tmp_path: Path, passages: Path) -> None:
    questions = lines(
        tmp_path / "questions.jsonl",
        {"query": "인증서 갱신은 어떻게 하나요", "style": "plain", "relevant": ["cert"]},
        {"query": "간밤에 백업이 죽었어요", "style": "colloquial", "relevant": ["backup"]},
        {"query": "김치찌개 끓이는 법", "style": "off", "relevant": []},
    )
    found = json.loads(output("eval", "retrieval", questions, "--passages", passages, "--json"))
    assert (found["questions"], found["off_topic"]) == (2, 1)
    assert found["recall@1"] == found["recall@5"] == found["mrr"] == found["ndcg@10"] == 1.0
    assert found["off_topic_refused"] == 1.0 and found["intervals"]["mrr"] == [1.0, 1.0]
    assert set(found["by_style"]) == {"plain", "colloquial", "off"}
    assert set(found["by_retriever"]) == {"hybrid", "rrf", "words", "bm25", "pieces", "dense"}
    assert found["ms"]["p50"] > 0
    words = ["eval", "retrieval", questions, "--passages", passages, "--json", "--words"]
    assert json.loads(output(*words))["recall@5"] == 1.0


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"query": "x", "relevant": ["none"]}, "none"),
        ({"query": 1, "relevant": []}, "query"),
        ({"query": "x", "relevant": "cert"}, "query"),
    ],
)
@pytest.mark.slow
def test_a_wrong_line_is_named(
    tmp_path: Path, passages: Path, row: dict[str, Any], why: str
) -> None:
    questions = lines(tmp_path / "questions.jsonl", row)
    error = refusal(Invalid, "eval", "retrieval", questions, "--passages", passages)
    assert "questions.jsonl:1" in str(error) and why in str(error)
