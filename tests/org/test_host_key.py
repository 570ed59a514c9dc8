"""Public keys of hosts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from guardia.errors import Invalid
from guardia.org import host_key


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_the_fingerprint_is_that_of_ssh_keygen(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", path], check=True)
    public = path.with_suffix(".pub").read_text()
    words = ["ssh-keygen", "-l", "-f", f"{path}.pub"]
    printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert host_key.fingerprint(public) == printed.split()[1]
    assert host_key.normalized(f"host.example {public}") == " ".join(public.split()[:2])


@pytest.mark.parametrize(
    "text",
    ["", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-dss AAAAB3NzaC1kc3M=", "x y", "ssh-rsa !"],
)
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        host_key.normalized(text)


def test_a_key_of_another_type_than_it_says_is_refused() -> None:
    raw = "AAAAC3NzaC1lZDI1NTE5AAAAIB8Ht8Z3j6yDWPBHQtOp/R9rjWvfMYo3MSA/K6q8D86r"
    with pytest.raises(Invalid):
        host_key.normalized(f"ssh-rsa {raw}")
