"""A board with a mailbox of its own on the servers of `mail_servers`, and mails of people."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage, Message
from pathlib import Path
from typing import Any

import psycopg
from board_env import BoardEnv
from mail_servers import MailServers
from waiting import wait_until

from guardia.board.accounts import messenger_links
from guardia.board.core.actors import Actor
from guardia.board.intake.mail.reader import MailReader
from guardia.heartbeat.deliver import deliver
from guardia.settings import Settings

_numbers = itertools.count(1)


class Installation:
    """The mailbox of one test, and what the board makes of its mails."""

    def __init__(self, env: BoardEnv, servers: MailServers, home: Path, **more: Any) -> None:
        self.env, self.servers = env, servers
        self.address = f"guardia{next(_numbers)}@mof.test"
        self.settings: Settings = servers.settings(home, self.address, **more)

    def send(self, mail: EmailMessage | bytes, sender: str | None = None) -> None:
        """Send a mail to the mailbox."""
        self.servers.send(mail, self.address, sender)

    def read(self, count: int) -> None:
        """Let a reader run until so many mails are recorded in all."""
        with self.reading():
            self.wait_for(count)
            assert wait_until(lambda: self.servers.unread(self.address) == 0)

    def wait_for(self, count: int) -> None:
        """Wait until so many mails are recorded in all."""
        assert wait_until(lambda: len(self.outcomes()) == count)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Run a reader for as long as the block."""
        closing = threading.Event()
        reader = MailReader(self.env.board, self.settings, closing)
        thread = threading.Thread(target=reader.run)
        thread.start()
        try:
            yield
        finally:
            closing.set()
            thread.join()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.env.dsn) as connection:
            return connection.execute(query).fetchall()  # type: ignore[arg-type]

    def outcomes(self) -> list[str]:
        return [one for (one,) in self.rows("select outcome from tb_mail order by mail_id")]

    def deliver_all(self) -> None:
        """Send every waiting message of the outbox."""
        query = "select outbox_id from tb_outbox where delivered_at is null order by 1"
        for (number,) in self.rows(query):
            deliver(self.env.board, self.settings, number)

    def link(self, person: str, address: str) -> None:
        messenger_links.link(self.env.board, Actor.operator("test"), person, "mail", address)

    def comments(self) -> list[tuple[str, str]]:
        return self.rows("select author, body from tb_comment order by comment_id")  # type: ignore[return-value]


def mail(
    subject: str = "운영DB 느림",
    text: str = "기재부 운영DB 쿼리가 너무 느려요",
    sender: str = "장하늘 <jang@mof.test>",
    **fields: str,
) -> EmailMessage:
    """Return a mail of a person."""
    found = EmailMessage()
    found["From"], found["To"], found["Subject"] = sender, "guardia@mof.test", subject
    found["Message-ID"] = f"<{next(_numbers)}.person@mof.test>"
    for name, value in fields.items():
        found[name.replace("_", "-")] = value
    found.set_content(text)
    return found


def reply_to(ours: Message, text: str = "2호기입니다", **more: str) -> EmailMessage:
    """Return a person's reply to one of our mails."""
    answer = mail(f"Re: {ours['Subject']}", text, **more)
    answer["In-Reply-To"] = ours["Message-ID"]
    return answer
