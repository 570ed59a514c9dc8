"""Issues about the same are similar; polite words around them do not count."""

from __future__ import annotations

import pytest

from guardia.board.search.similarity import most_similar

NOISE = ("계정 생성", "프린터 연결", "메일 수신", "화면 오류", "접속 불가", "데이터 추출")
PAST = {
    1: "기재부 운영DB 쿼리가 너무 느려요 mof-db-01",
    2: "mof-was-01 로그 볼륨이 가득 찼습니다. 확인 부탁드립니다",
    3: "인증서 만료 예정입니다 갱신 요청드립니다. 확인 부탁드립니다 mof-web-01",
    4: "운영DB 락 대기로 조회가 멈췄습니다 moe-db-01",
    5: "WAS 재기동 요청합니다. 확인 부탁드립니다 moe-was-02",
    6: "tomcat java.lang.OutOfMemoryError 발생",
    **{n: f"{NOISE[n % 6]} 요청 {n}건입니다. 확인 부탁드립니다" for n in range(10, 100)},
}


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("로그 디스크가 꽉 찼습니다. 확인 부탁드립니다", 2),
        ("인증서 갱신해 주세요", 3),
        ("운영DB에서 락 대기로 조회가 안 됩니다", 4),
        ("WAS 좀 재기동 부탁드립니다 MOE-WAS-02", 5),
        ("OutOfMemoryError가 났어요 java.lang.OutOfMemoryError", 6),
    ],
)
def test_the_issue_about_the_same_is_first(text: str, first: int) -> None:
    found = most_similar(text, PAST, 3)
    assert found[0][0] == first
    assert not any(number >= 10 for number, _ in found)


@pytest.mark.parametrize("text", ["점심 메뉴 추천해 주세요", "확인 부탁드립니다", "", "??"])
def test_nothing_is_similar_to_talk(text: str) -> None:
    assert most_similar(text, PAST, 5) == []
