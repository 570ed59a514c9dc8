"""What of a text is the sender's own."""

from __future__ import annotations

import pytest

from guardia.board.intake.mail.quotes import strip_reply

QUOTATIONS = [
    "-----Original Message-----\nFrom: a\nTo: b",
    "----- 원본 메시지 -----\n보낸 사람: a",
    "--------- 원본 메일 ---------\n보낸사람: a",
    "From: a <a@b>\nSent: Monday\nTo: b\nSubject: c",
    "보낸 사람: a\n받는 사람: b\n제목: c",
    "________________________________\n보낸 사람: a\n보낸 날짜: 2026\n받는 사람: b",
    "*보낸사람:* a <a@b>\n*날짜:* 2026\n*받는사람:* b",
    "발신: a\n수신: b\n일시: 2026-11-30",
    "On Mon, Nov 30, 2026 at 3:12 PM a <a@b> wrote:\n> x",
    "On Mon, Nov 30, 2026 at 3:12 PM\na <a@b> wrote:\n> x",
    "2026년 11월 30일 (월) 오후 3:12, a <a@b>님이 작성:\n> x",
    "2026년 11월 30일 (월) 오후 3:12, a\n<a@b>님이\n작성:\n> x",
    "2026-11-30 오후 3:12에 a 이(가) 쓴 글:\n> x",
    "2026. 11. 30. 오후 3:12, a <a@b> 작성:\n> x",
    "26. 11. 30. 15:12, a 님이 쓰신 글:\n> x",
    "> 어느 서버인가요?\n> 1. WAS",
]
SIGNATURES = [
    "-- \n김철수",
    "나의 iPhone에서 보냄",
    "Sent from my iPhone",
    "내 Galaxy에서 보냄",
    "Android용 Outlook 다운로드",
    "네이버 메일 앱에서 보냄",
    "※ 본 메일은 지정된 수신인만을 위한 것이며 법적으로 보호됩니다.",
    "This e-mail is intended only for the addressee and may be confidential.",
]


@pytest.mark.parametrize("quotation", QUOTATIONS)
def test_a_quotation_is_cut_from_a_reply_and_kept_in_what_is_passed_on(quotation: str) -> None:
    text = f"2호기입니다.\n재기동해 주세요.\n\n{quotation}\n접수했습니다."
    if not quotation.startswith(">"):
        assert strip_reply(text, is_reply=True) == "2호기입니다.\n재기동해 주세요."
    assert "접수했습니다" not in strip_reply(f"네\n{quotation}", is_reply=True)
    assert strip_reply(text, is_reply=False) == text


@pytest.mark.parametrize("signature", SIGNATURES)
def test_a_signature_is_cut(signature: str) -> None:
    for is_reply in (True, False):
        assert (
            strip_reply(f"재기동해 주세요.\n\n{signature}\n", is_reply=is_reply)
            == "재기동해 주세요."
        )


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-30 작업 계획서 작성\n검토 부탁드립니다.",
        "11. 30. 김철수 대리가 쓴 글\n보셨나요?",
        "From: 10.0.0.1 접속이 안 됩니다.",
        "보낸 사람: 누구인지 모르는 메일이 왔습니다.",
        "포트 443 -> 8443 변경\n--\n감사합니다",
        "본 메일은 장애 보고입니다.",
        "순서:\n1. 백업\n----------\n2. 재기동",
    ],
)
def test_a_text_that_only_looks_like_one_keeps_its_words(text: str) -> None:
    found = strip_reply(text, is_reply=True)
    assert found == text.partition("\n--\n")[0]


def test_nothing_but_a_quotation_is_kept() -> None:
    assert strip_reply("> x\n> y", is_reply=True) == "> x\n> y"
