"""Private keys in the forms of real programs: openssl, ssh-keygen, editors, forms."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from guardia.errors import Misconfigured
from guardia.tools.transport.private_key import load_private_key

GENPKEY = ("openssl", "genpkey", "-out", "{}", "-algorithm")
KEYGEN = ("ssh-keygen", "-q", "-N", "", "-f", "{}", "-t")
MADE = {
    "PKCS#8 RSA": ((*GENPKEY, "RSA"), "ssh-rsa"),
    "PKCS#8 Ed25519": ((*GENPKEY, "ed25519"), "ssh-ed25519"),
    "PKCS#8 EC": ((*GENPKEY, "EC", "-pkeyopt", "ec_paramgen_curve:P-384"), "ecdsa-sha2-nistp384"),
    "SEC 1 EC": (
        ("openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", "{}"),
        "ecdsa-sha2-nistp256",
    ),
    "PKCS#1 RSA": (("openssl", "genrsa", "-traditional", "-out", "{}", "2048"), "ssh-rsa"),
    "OpenSSH Ed25519": ((*KEYGEN, "ed25519"), "ssh-ed25519"),
    "OpenSSH ECDSA": ((*KEYGEN, "ecdsa"), "ecdsa-sha2-nistp256"),
    "OpenSSH RSA": ((*KEYGEN, "rsa"), "ssh-rsa"),
    "ssh-keygen PEM": ((*KEYGEN, "rsa", "-m", "PEM"), "ssh-rsa"),
}


def made(folder: Path, words: tuple[str, ...]) -> str:
    path = folder / "key"
    filled = [str(path) if word == "{}" else word for word in words]
    subprocess.run(filled, check=True, capture_output=True)
    return path.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("kind", MADE)
def test_every_usual_form_is_read(tmp_path: Path, kind: str) -> None:
    words, name = MADE[kind]
    text = made(tmp_path, words)
    public = load_private_key("k", text).asbytes()
    for changed in (
        "\ufeff" + text,
        "\n\n  " + text,
        text.replace("\n", "\r\n"),
        text.strip(),
        "\n".join(f"  {line}  " for line in text.splitlines()),
    ):
        key = load_private_key("k", changed)
        assert (key.get_name(), key.asbytes()) == (name, public)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((*GENPKEY, "RSA", "-aes256", "-pass", "pass:secret"), "ssh-keygen -p"),
        (("ssh-keygen", "-q", "-N", "secret", "-f", "{}", "-t", "ed25519"), "ssh-keygen -p"),
        (
            ("ssh-keygen", "-q", "-N", "secret", "-f", "{}", "-t", "rsa", "-m", "PEM"),
            "ssh-keygen -p",
        ),
        ((*GENPKEY, "X25519"), "Ed25519, ECDSA"),
    ],
)
@pytest.mark.slow
def test_a_key_that_cannot_be_used_says_why(
    tmp_path: Path, words: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(Misconfigured, match=reason) as refused:
        load_private_key("k", made(tmp_path, words))
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n", "PuTTYgen"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== a@b\n", "공개 키"),
        ("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n", "공개 키"),
        ("-----BEGIN PRIVATE KEY-----\nMII=\n-----END PRIVATE KEY-----\n", "Ed25519, ECDSA"),
        ("", "Ed25519, ECDSA"),
        ("\0" * 99, "Ed25519, ECDSA"),
        ("비밀 키", "Ed25519, ECDSA"),
    ],
)
def test_what_is_no_private_key_is_named(text: str, reason: str) -> None:
    with pytest.raises(Misconfigured, match=reason):
        load_private_key("k", text)
