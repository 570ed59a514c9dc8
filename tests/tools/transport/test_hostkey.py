"""Parsing of a pinned host key."""

from __future__ import annotations

import pytest

from guardia.tools.transport import hostkey


def test_type_and_bytes() -> None:
    assert hostkey.parse("ssh-ed25519 AAEC root@host") == ("ssh-ed25519", b"\x00\x01\x02")


@pytest.mark.parametrize("text", ["", "ssh-ed25519", "ssh-ed25519 !!!", "ssh-ed25519 AAE"])
def test_an_invalid_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        hostkey.parse(text)


def test_an_rsa_key_does_not_sign_with_sha1() -> None:
    assert "ssh-rsa" not in hostkey.algorithms("ssh-rsa")
    assert hostkey.algorithms("ssh-ed25519") == ("ssh-ed25519",)
