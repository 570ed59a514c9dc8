"""Fixtures of the tests of mails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from board_env import BoardEnv
from mail_installation import Installation
from mail_servers import MailServers


@pytest.fixture(scope="module")
def servers() -> Iterator[MailServers]:
    """Start the mail servers for the tests of a module, with empty mailboxes."""
    with MailServers() as found:
        yield found


@pytest.fixture
def site(env: BoardEnv, servers: MailServers, tmp_path: Path) -> Installation:
    """Return a board with an empty mailbox."""
    return Installation(env, servers, tmp_path)
