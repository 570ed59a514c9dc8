"""Changes of real files over real SSH: formats, patches, encodings, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guardia.errors import CommandFailed
from guardia.org.directory import Host, Service
from guardia.tools.families.config.read import values_of
from guardia.tools.families.config.text import patch

pytestmark = pytest.mark.ssh
Ask = Callable[..., dict[str, Any]]

INI = "port = 1\n[mysqld]\n# port = 2\nport=3306 \n\n[client]\nport = 5\n"
SSHD = "#PermitRootLogin no\nPort 22\n\nMatch User a\n  Port 23\n"
APACHE = "Timeout 300\n<Directory />\n  Timeout 1\n</Directory>\nKeepAlive On\n"
NGINX = "events {\n\tworker_connections  768; # many\n}\n# worker_connections 1;\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "conf"
    folder.mkdir()
    return folder / "app.conf"


@pytest.fixture
def host(sshd: Any, file: Path) -> Host:
    found: Host = sshd.host(
        Service(name="app", kind="system", config=str(file), control=str(file.parent / "ctl"))
    )
    return found


@pytest.mark.parametrize(
    ("style", "section", "key", "previous", "value", "before", "after"),
    [
        ("ini", "mysqld", "port", "3306", "3307", INI, INI.replace("port=3306 ", "port=3307")),
        ("ini", "", "port", "1", "9", INI, INI.replace("port = 1", "port = 9")),
        ("ini", "client", "host", "", "db", INI, INI + "host = db\n"),
        ("ini", "mysqld", "user", "", "a b", INI,
         INI.replace("port=3306 \n", "port=3306 \nuser=a b\n")),
        ("ini", "client", "port", "5", "", INI, INI.replace("[client]\nport = 5\n", "[client]\n")),
        ("ini", "", "a.b", "", "1", "", "a.b = 1\n"),
        ("ini", "", "a.b", "1", "2", "a.b: 1", "a.b: 2\n"),
        ("ini", "", "a", "1", "2", "a = 1\r\nb = 2\r\n", "a = 2\r\nb = 2\r\n"),
        ("ini", "", "a", "x=1", "y=$(id) `'\"\\", "a = x=1\n", "a = y=$(id) `'\"\\\n"),
        ("ini", "Service", "Environment", "A=1", "A=2",
         "[Service]\nEnvironment=A=1\nEnvironment=B=1\n",
         "[Service]\nEnvironment=A=2\nEnvironment=B=1\n"),
        ("spaced", "", "port", "22", "2222", SSHD, SSHD.replace("Port 22\n", "Port 2222\n")),
        ("spaced", "", "PermitRootLogin", "", "no", SSHD,
         SSHD.replace("\nMatch", "\nPermitRootLogin no\nMatch")),
        ("spaced", "", "Timeout", "300", "60", APACHE, APACHE.replace("300", "60")),
        ("semicolon", "", "worker_connections", "768", "1024", NGINX,
         NGINX.replace("768", "1024")),
    ],
)  # fmt: skip
@pytest.mark.slow
def test_a_key_is_set_in_place(
    ask: Ask, host: Host, file: Path, style: str, section: str, key: str, previous: str,
    value: str, before: str, after: str,
) -> None:  # fmt: skip
    """What the server changes and what the reader finds follow the same rules."""
    file.write_bytes(before.encode())
    file.chmod(0o640)
    args = {"service": "app", "file": str(file), "key": key, "style": style, "section": section}
    wanted = [previous] if previous else []
    assert [v for v in ask("config.value", host, **args)["values"] if v in wanted] == wanted
    ask("config.set", host, **args, previous=previous, value=value, apply="none")
    assert file.read_bytes().decode() == after
    assert file.stat().st_mode & 0o777 == 0o640
    found = list(values_of(after, style, section, key))
    assert (value in found) if value else (found == [])
    assert {p.name for p in file.parent.iterdir()} == {"app.conf", ".app.conf.guardia-old"}


@pytest.mark.parametrize(
    ("style", "previous", "before", "why"),
    [
        ("ini", "2", "a = 1\n", "is there 0 times"),
        ("ini", "1", "a = 1\na = 1\n", "is there 2 times"),
        ("ini", "", "a = 1\n", "set already"),
        ("semicolon", "", "b 1;\n", "no place to add"),
        ("spaced", "1", "<X>\na 1\n</X>\n", "is there 0 times"),
    ],
)
def test_what_is_not_as_planned_changes_nothing(
    ask: Ask, host: Host, file: Path, style: str, previous: str, before: str, why: str
) -> None:
    file.write_text(before)
    args = {"service": "app", "file": str(file), "key": "a", "style": style, "apply": "none"}
    with pytest.raises(CommandFailed, match=why):
        ask("config.set", host, **args, previous=previous, value="9")
    assert file.read_text() == before


def test_a_text_is_replaced_line_by_line(ask: Ask, host: Host, file: Path) -> None:
    """Secrets and lines in another encoding stay as they are, without leaving the server."""
    raw = b"a = 1\npassword = hunter2\n# " + "주석".encode("cp949") + b"\nb = 2"
    file.write_bytes(raw)
    text = ask("config.read", host, service="app", file=str(file))["text"]
    assert text == "a = 1\npassword = ***\n# 주석\nb = 2\n"
    changed = text.replace("a = 1\n", "a = 3\nc = 한글\n")
    call = {"service": "app", "file": str(file), "apply": "none"}
    ask("config.replace", host, **call, previous=text, text=changed)
    assert file.read_bytes() == raw.replace(b"a = 1\n", "a = 3\nc = 한글\n".encode()) + b"\n"
    ask("config.replace", host, **call, previous=changed, text=text)
    assert file.read_bytes() == raw + b"\n"


@pytest.mark.parametrize("now", ["a = 9\nb = 2\n", "b = 2\n", "a = 1\n", "a = 1\nb = 2\nc = 3\n"])
def test_a_file_that_has_changed_since_is_left_alone(
    ask: Ask, host: Host, file: Path, now: str
) -> None:
    file.write_text(now)
    call = {"service": "app", "file": str(file), "apply": "none"}
    with pytest.raises(CommandFailed, match=r"not as planned|shorter than planned"):
        ask("config.replace", host, **call, previous="a = 1\nb = 2\n", text="a = 1\nb = 5\n")
    assert file.read_text() == now


def test_what_cannot_be_reloaded_is_put_back(ask: Ask, host: Host, file: Path) -> None:
    file.write_text("a = 1\n")
    control = file.parent / "ctl"
    control.write_text("#!/bin/sh\necho reload refused >&2\nexit 1\n")
    control.chmod(0o755)
    args = {"service": "app", "file": str(file), "key": "a", "previous": "1", "value": "2"}
    with pytest.raises(CommandFailed, match="the old text was put back"):
        ask("config.set", host, **args)
    assert file.read_text() == "a = 1\n"


def test_links_and_keys(ask: Ask, host: Host, file: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("a = 1\n")
    (file.parent / "link.conf").symlink_to(outside)
    with pytest.raises(CommandFailed, match="leads out of the service's folders"):
        ask("config.read", host, service="app", file=str(file.parent / "link.conf"))
    within = file.parent / "within.conf"
    file.write_text("a = 1\n")
    within.symlink_to(file)
    call = {"service": "app", "file": str(within), "apply": "none"}
    ask("config.set", host, **call, key="a", previous="1", value="2")
    assert within.is_symlink() and file.read_text() == "a = 2\n"
    file.write_text("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n")
    with pytest.raises(CommandFailed, match="holds a private key"):
        ask("config.read", host, service="app", file=str(file))
    with pytest.raises(CommandFailed, match="no such file"):
        ask("config.read", host, service="app", file=str(file.parent / "gone" / "x.conf"))


def test_a_patch_is_the_way_and_its_inverse_the_way_back() -> None:
    before, after = ["a", "***", "b", "가"], ["a", "***", "c", "d", "가"]
    assert patch(before, after) == ["=a", "****", "-b", "+c", "+d", "*가"]
    assert patch(after, before) == ["=a", "****", "-c", "-d", "+b", "*가"]
