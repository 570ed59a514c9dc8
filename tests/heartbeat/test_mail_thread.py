"""A worker reads the mailbox, says if its reader has ended, and works without a mailbox."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest
from board_env import BoardEnv
from mail_servers import MailServers
from waiting import wait_until

from guardia.board.intake.mail.reader import MailReader
from guardia.errors import Misconfigured
from guardia.heartbeat.mail_thread import MailThread
from guardia.heartbeat.worker import open_worker
from guardia.settings import Settings

USABLE: dict[str, Any] = {
    "mail_address": "x@mof.test",
    "mail_imap": "imaps://x@127.0.0.1:1",
    "mail_smtp": "smtps://x@127.0.0.1:1",
}
MAIL = b"From: jang@mof.test\r\nSubject: WAS\r\nMessage-ID: <w1@x>\r\n\r\nslow\r\n"


@pytest.mark.slow
def test_a_worker_reads_until_it_closes(env: BoardEnv, tmp_path: Path) -> None:
    def stored() -> int:
        with psycopg.connect(env.dsn) as connection:
            row = connection.execute("select count(*) from tb_mail").fetchone()
        return int(row[0]) if row else 0

    with MailServers() as servers:
        servers.send(MAIL, "guardia@mof.test")
        closing = threading.Event()
        with open_worker(servers.settings(tmp_path), env.dsn, env.board, closing) as worker:
            assert wait_until(lambda: stored() == 1)
            assert worker.mail is not None and not worker.mail.has_ended()
            closing.set()
        assert not any(one.name == "mail" for one in threading.enumerate())
        assert not worker.mail.has_ended()  # it was asked to


@pytest.mark.slow
def test_a_worker_without_a_mailbox_reads_none(env: BoardEnv, tmp_path: Path) -> None:
    with open_worker(Settings(home=tmp_path), env.dsn, env.board, threading.Event()) as worker:
        assert worker.mail is None


def test_a_reader_that_ends_on_its_own_is_noticed(
    env: BoardEnv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MailReader, "run", lambda self: None)
    settings = Settings(home=tmp_path, **USABLE)
    with MailThread(settings, env.board, threading.Event()) as thread:
        assert wait_until(thread.has_ended)


@pytest.mark.parametrize("wrong", [{"mail_address": None}, {"mail_imap": "x"}, {"mail_smtp": None}])
def test_a_worker_does_not_start_with_a_mailbox_that_cannot_work(
    env: BoardEnv, tmp_path: Path, wrong: dict[str, Any]
) -> None:
    settings = Settings(home=tmp_path, **(USABLE | wrong))
    with pytest.raises(Misconfigured):
        MailThread(settings, env.board, threading.Event())
