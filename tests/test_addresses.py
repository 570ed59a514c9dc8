from __future__ import annotations

import pytest

from guardia.addresses import parse_origin
from guardia.settings import Settings


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://board.example", "https://board.example"),
        (" HTTPS://Board.Example:443/ ", "https://board.example"),
        ("http://10.1.2.3:8420", "http://10.1.2.3:8420"),
        ("http://[FD00::1]:80", "http://[fd00::1]"),
        ("https://업무.기관", "https://xn--v92b76q.xn--zb0bnw"),
        ("https://board.example/guardia", None),
        ("https://board.example?x", None),
        ("https://someone@board.example", None),
        ("https://board.example:port", None),
        ("https://board.example:99999", None),
        ("https://" + "a" * 64 + ".example", None),
        ("board.example", None),
        ("ftp://board.example", None),
        ("", None),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(text: str, origin: str | None) -> None:
    assert parse_origin(text) == origin


def test_both_names_of_the_public_origin_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDIA_PUBLIC_URL", "https://Old.example/")
    assert Settings().public_origin == "https://old.example"
    monkeypatch.setenv("GUARDIA_PUBLIC_ORIGIN", "https://new.example")
    assert Settings().public_origin == "https://new.example"
    assert Settings(public_origin="https://given.example").public_origin == "https://given.example"
