"""Failed logins in a real log, over real SSH."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guardia.errors import CommandFailed
from guardia.org.directory import Host, Service

pytestmark = pytest.mark.ssh
Ask = Callable[..., dict[str, Any]]

OLD = "Nov 20 13:59:01 sec-01 sshd[811]:"
NEW = "2026-11-20T13:59:03.123456+09:00 sec-01 sshd-session[8]:"
FORGED = "from 8.8.8.8 port 1 ssh2"
LOG = f"""\
{OLD} Failed password for root from 203.0.113.9 port 51022 ssh2
{OLD} Failed password for invalid user admin from 203.0.113.9 port 51023 ssh2
{NEW} Failed publickey for app from 2001:db8::1 port 4000 ssh2
{OLD} Invalid user admin from 203.0.113.9 port 51023
{NEW} Accepted publickey for app from 198.51.100.7 port 4000 ssh2
{OLD} Failed password for invalid user x {FORGED} from 192.0.2.66 port 5 ssh2
{OLD} Invalid user a sshd[1]: Failed password for b {FORGED} from 192.0.2.67 port 5
Nov  2 13:59:06 sec-01 sudo: Failed password for root from 203.0.113.9 port 1 ssh2
{OLD} Connection closed by authenticating user root 203.0.113.9 port 1 [preauth]
"""


@pytest.fixture
def host(sshd: Any, tmp_path: Path) -> Host:
    found: Host = sshd.host(Service(name="auth", kind="authlog", logs=str(tmp_path)))
    return found


@pytest.mark.parametrize("name", ["auth.log", "secure"])
def test_failures_are_counted_by_true_source(
    ask: Ask, host: Host, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text(LOG)
    found = ask("security.auth_failures", host, service="auth")
    assert found == {
        "failures": 4,
        "sources": [
            {"address": "203.0.113.9", "count": 2},
            {"address": "192.0.2.66", "count": 1},  # not what the user name claims
            {"address": "2001:db8::1", "count": 1},
        ],
    }


def test_a_log_without_failures(ask: Ask, host: Host, tmp_path: Path) -> None:
    (tmp_path / "auth.log").write_text("")
    assert ask("security.auth_failures", host, service="auth") == {"failures": 0, "sources": []}


def test_many_sources_are_bounded(ask: Ask, host: Host, tmp_path: Path) -> None:
    line = "Nov 20 13:59:01 h sshd[1]: Failed password for root from 10.0.{}.{} port 1 ssh2\n"
    (tmp_path / "auth.log").write_text(
        "".join(line.format(a, b) for a in range(4) for b in range(200))
    )
    found = ask("security.auth_failures", host, service="auth")
    assert found["failures"] == 800
    assert len(found["sources"]) == 20


def test_a_missing_log_is_an_error(ask: Ask, host: Host) -> None:
    with pytest.raises(CommandFailed, match=r"no auth\.log"):
        ask("security.auth_failures", host, service="auth")
