"""Host keys from known_hosts files, as OpenSSH writes them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from guardia.board.cmdb.imports import known_hosts
from guardia.board.cmdb.imports.decoding import ImportFile
from guardia.board.cmdb.imports.known_hosts import (
    find_keys,
    known_name,
    read_known_hosts,
)
from guardia.board.cmdb.imports.reading import ServerImport, read_servers
from guardia.errors import Invalid
from guardia.org.host_key import fingerprint


def make_key(folder: Path, kind: str = "ed25519") -> str:
    """Return a new public key; OpenSSH makes it."""
    path = folder / f"key{len(list(folder.iterdir()))}"
    words = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "c", "-f", str(path)]
    subprocess.run(words, check=True)
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


def test_plain_and_hashed_entries_give_the_same_keys(tmp_path: Path) -> None:
    one, two, old = make_key(tmp_path), make_key(tmp_path), make_key(tmp_path, "ecdsa")
    file = tmp_path / "known_hosts"
    file.write_text(
        f"10.0.0.1,web1 {one}\n10.0.0.1 {old}\n[10.0.0.2]:2222 {two}\n# comment\nbad line\n"
    )
    plain = read_known_hosts(file.read_text())
    assert plain.bad_lines == [5]
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:3]))
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(file)], check=True, capture_output=True)
    hashed = read_known_hosts(file.read_text())
    assert len(hashed.hashed) == 4 and not hashed.plain
    names = {
        "A": (known_name("10.0.0.1", 22),),
        "B": (known_name("10.0.0.2", 2222),),
        "C": (known_name("10.0.0.2", 22),),
    }
    assert find_keys(plain, names) == find_keys(hashed, names) == {"A": [one, old], "B": [two]}


def test_patterns_revoked_keys_and_authorities(tmp_path: Path) -> None:
    key, gone, ca = (make_key(tmp_path) for _ in range(3))
    found = read_known_hosts(
        f"*.mof,!db.mof {key}\n@revoked * {gone}\nweb1.mof {gone}\n@cert-authority *.moe {ca}\n"
    )
    names = {"W": ("web1.mof",), "D": ("db.mof",), "E": ("a.moe",)}
    assert find_keys(found, names) == {"W": [key]}
    assert found.authority(names["E"]) == ca and found.authority(names["W"]) == ""


def test_a_fingerprint_is_that_of_openssh(tmp_path: Path) -> None:
    key = make_key(tmp_path)
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", "-"], input=key, capture_output=True, text=True, check=True
    )
    assert shown.stdout.split()[1] == fingerprint(key)


def test_too_many_hashed_entries_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_hosts, "_MOST_COMPARISONS", 1)
    found = read_known_hosts(f"|1|AAAA|BBBB {make_key(tmp_path)}\n" * 2)
    with pytest.raises(Invalid, match="해시"):
        find_keys(found, {"A": ("a",)})


def test_an_import_takes_keys_from_file_column_or_authority(tmp_path: Path) -> None:
    listed, column, ca = (make_key(tmp_path) for _ in range(3))
    head = "서버,기관,종류,주소,포트,호스트 키\n"
    text = head + f"A,M,DB,10.0.0.1,2222,\nB,M,DB,10.0.0.2,,{column}\nC,M,DB,10.0.0.3,,\n"
    how = ServerImport(keys=read_known_hosts(f"[10.0.0.1]:2222 {listed}\n"), host_ca=ca)
    found = read_servers(ImportFile("a.csv", text.encode()), how)
    values = {d.key: d.values for d in found.drafts if d.kind == "server"}
    assert (values["A"]["host_key"], values["B"]["host_key"]) == (listed, column)
    assert "host_key" not in values["C"] and values["C"]["login"] == {"host_ca": ca}
