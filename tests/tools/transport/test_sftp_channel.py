"""SFTP channels on kept connections, over real SSH."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from waiting import PATIENCE

from guardia.errors import Unreachable
from guardia.tools.command import Command
from guardia.tools.transport.connections import Connections

pytestmark = pytest.mark.ssh

SFTP = "Subsystem sftp internal-sftp"


def test_files_and_commands_share_a_connection(
    start_sshd: Callable[..., Any], tmp_path: Path
) -> None:
    server = start_sshd(more=SFTP)
    with Connections(server) as connections:
        with connections.sftp(server.host()) as files, files.open(str(tmp_path / "a"), "w") as file:
            file.write("한글")
            during = connections.run(
                server.host(), Command.of("printenv", "SSH_CONNECTION"), timeout=PATIENCE
            )
        after = connections.run(
            server.host(), Command.of("printenv", "SSH_CONNECTION"), timeout=PATIENCE
        )
    assert (tmp_path / "a").read_text() == "한글"
    assert during.stdout == after.stdout


def test_a_server_without_sftp_is_a_finding(own: Any) -> None:
    with (
        Connections(own) as connections,
        pytest.raises(Unreachable, match="Subsystem sftp"),
        connections.sftp(own.host()),
    ):
        pytest.fail("there is no SFTP")


@pytest.mark.parametrize(
    ("offered", "chosen"), [("", "aes128-gcm@openssh.com"), ("Ciphers aes256-ctr", "aes256-ctr")]
)
def test_the_fastest_cipher_that_a_server_has_is_used(
    start_sshd: Callable[..., Any], tmp_path: Path, offered: str, chosen: str
) -> None:
    server = start_sshd(more=f"{SFTP}\n{offered}")
    with Connections(server) as connections, connections.sftp(server.host()) as files:
        channel = files.get_channel()
        assert channel is not None and channel.transport.remote_cipher == chosen
        with files.open(str(tmp_path / "a"), "w") as file:
            file.write("한글")
    assert (tmp_path / "a").read_text() == "한글"
