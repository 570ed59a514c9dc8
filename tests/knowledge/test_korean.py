"""Morphemes and search words of the field's Korean."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from guardia.knowledge import korean
from guardia.knowledge.korean import canonical, morphemes, tokens


def forms(text: str) -> list[str]:
    return [m.form for m in morphemes(text)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "word", ["와스", "디비", "슬로우쿼리", "데드락", "락", "재기동", "핫픽스", "랜섬웨어", "이중화"]
)
def test_words_of_the_field_are_not_split(word: str) -> None:
    assert word in forms(f"{word}에 문제가 있습니다")


def test_verbs_are_reduced_to_their_stems() -> None:
    assert {"느리"} == {f for f in forms("느려요 느립니다 느렸어요") if f.startswith("느")}
    assert forms("안돼요")[:2] == forms("안 됩니다")[:2] == ["안", "되"]


def test_messenger_endings() -> None:
    assert forms("안됩니당ㅋㅋ")[:2] == ["안", "되"]


@pytest.mark.parametrize(
    "name",
    ["MOF-WAS-01", "10.20.1.15", "3.1.1", "v2.4.1", "minwon-2.8.war", "/var/log", "ORA-01034"],
)
def test_each_name_is_one_token(name: str) -> None:
    assert name.lower() in tokens(f"{name}에서 오류가 납니다")


def test_synonyms_become_one_token() -> None:
    assert tokens("DB") == tokens("디비") == tokens("데이터베이스")
    assert tokens("재시작") == tokens("재부팅") == tokens("restart")
    assert canonical("아무거나") == "아무거나"


def test_tokens_omit_words_without_meaning() -> None:
    assert tokens("안녕하세요 확인 좀 부탁드립니다.") == ["확인"]


def test_start_is_the_position_in_the_text() -> None:
    text = "기재부 디비가 느려요"
    found = {m.form: m.start for m in morphemes(text)}
    assert text[found["디비"] :].startswith("디비") and text[found["느리"] :].startswith("느려")


@pytest.mark.slow
def test_all_threads_share_one_analyser(monkeypatch: pytest.MonkeyPatch) -> None:
    load, loads = korean._load, []
    monkeypatch.setattr(korean, "_kiwi", korean._KiwiThread())
    monkeypatch.setattr(korean, "_load", lambda: loads.append(load()) or loads[-1])
    texts = ["기재부 운영DB 쿼리가 너무 느려요", "행안부 와스 로그 볼륨이 꽉 찼어요"] * 20
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(forms, texts))
    assert len(loads) == 1
    assert found == [forms(t) for t in texts]


def test_nothing_is_loaded_before_the_first_text() -> None:
    code = "import sys, guardia.knowledge.library; print('kiwipiepy' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


@pytest.mark.slow
def test_memory() -> None:
    """Kiwi needs little memory, and gives it back when idle without changing its results.

    With the dictionaries of proper names it would need 515 MB.
    """
    code = """if True:
        import time
        from guardia.knowledge import korean
        def resident():
            with open("/proc/self/status") as status:
                return int(next(l for l in status if l.startswith("VmRSS")).split()[1])
        text = "기재부 운영DB 쿼리가 너무 느려요"
        korean._IDLE_SECONDS = 1.0
        first, used = korean.morphemes(text), resident()
        deadline = time.monotonic() + 60
        while (rested := resident()) > 120_000 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert korean.morphemes(text) == first
        print(used, rested)
    """
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    used, rested = map(int, out.stdout.split())
    assert used < 340_000
    assert rested < 120_000
