"""The address for which passkeys are registered, and what to configure where there are none."""

from __future__ import annotations

import pytest

from guardia.board.passkeys.relying_party import RelyingParty, relying_party
from guardia.errors import PasskeyUnavailable
from guardia.settings import Settings


@pytest.mark.parametrize(
    ("origin", "found"),
    [
        ("https://Board.Example.TEST", ("https://board.example.test", "board.example.test")),
        ("https://board.example.test:8443/", ("https://board.example.test:8443",) * 2),
        ("https://opsbox", ("https://opsbox", "opsbox")),
        ("http://localhost:8420", ("http://localhost:8420", "localhost")),
    ],
)
def test_the_host_name_of_the_origin_identifies_the_board(
    origin: str, found: tuple[str, str]
) -> None:
    rp = relying_party(Settings(public_origin=origin, passkey_seconds=60))
    assert isinstance(rp, RelyingParty)
    assert rp.origin == found[0]
    assert rp.rp_id == found[1].removeprefix("https://").partition(":")[0]
    assert rp.lifetime.total_seconds() == 60


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        (None, ("설정되지 않았습니다", "GUARDIA_PUBLIC_ORIGIN")),
        ("", ("설정되지 않았습니다",)),
        ("board.example.test", ("형식",)),
        ("https://board.example.test/guardia", ("형식",)),
        ("https://10.0.0.7", ("IP 주소", "호스트 이름")),
        ("http://127.0.0.1:8420", ("IP 주소",)),
        ("https://[fd00::1]:8443", ("IP 주소",)),
        ("http://board.example.test", ("HTTPS",)),
        ("http://localhost.example.test", ("HTTPS",)),
    ],
)
def test_where_browsers_offer_none_the_refusal_says_what_to_configure(
    origin: str | None, words: tuple[str, ...]
) -> None:
    with pytest.raises(PasskeyUnavailable) as error:
        relying_party(Settings(public_origin=origin))
    assert all(word in str(error.value) for word in words), str(error.value)
