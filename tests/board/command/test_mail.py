from __future__ import annotations

import pytest

from guardia.board.command.mail import own_words


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("#12 롤백해줘", "#12 롤백해줘"),
        ("> #12 롤백해줘", "> #12 롤백해줘"),
        ("FW: 문의\n#12 어떻게 됐나요?", "#12 어떻게 됐나요?"),
        ("#12 승인합니다\n> #13 승인해 주세요", "#12 승인합니다\n"),
        ("#12 반려\n-----Original Message-----\n#12 승인 요청", "#12 반려\n"),
        ("#12 반려\n보낸 사람: 김철수\n#12 승인 요청", "#12 반려\n"),
        ("제목: 안내\n", "제목: 안내\n"),
    ],
)
def test_what_a_mail_quotes_is_left_out(text: str, own: str) -> None:
    assert own_words(text) == own
