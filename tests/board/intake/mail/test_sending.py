"""Our mails leave encrypted or not at all, and nothing foreign becomes a field."""

from __future__ import annotations

import logging
import smtplib
import ssl
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mail_servers import MailServers

from guardia.board.intake.channels import NotConfigured
from guardia.board.intake.mail.mailbox import Mailbox
from guardia.board.intake.mail.sending import build_mail, send_mail
from guardia.board.notifications.delivery import OutboundMessage
from guardia.errors import Misconfigured
from guardia.settings import Settings
from guardia.text import clean

MESSAGE = OutboundMessage(
    "message", "jang@mof.test", "접수했습니다", 1, "mail", outbox_id=1, title="느림"
)


@pytest.mark.slow
def test_certificates_are_checked_and_nothing_is_sent_in_the_clear(
    servers: MailServers, home: Path
) -> None:
    settings = servers.settings(home)
    unknown = settings.model_copy(update={"mail_ca": None})
    with pytest.raises(ssl.SSLError):
        send_mail(unknown, MESSAGE)
    with pytest.raises(ssl.SSLError):
        Mailbox(unknown)
    starttls = f"imap://guardia%40mof.test@127.0.0.1:{servers.imap}"
    with Mailbox(settings.model_copy(update={"mail_imap": starttls})) as mailbox:
        assert mailbox.uids_after(0) == []
    with pytest.raises(ssl.SSLError):
        Mailbox(unknown.model_copy(update={"mail_imap": starttls}))
    # A server without STARTTLS gets neither a mail nor a password.
    lmtp = f"smtp://guardia@127.0.0.1:{servers.lmtp}"
    with pytest.raises(smtplib.SMTPException):
        send_mail(settings.model_copy(update={"mail_smtp": lmtp}), MESSAGE)
    assert servers.mails("jang@mof.test") == []


@pytest.mark.slow
def test_a_wrong_password_is_in_no_message_and_no_log(
    servers: MailServers, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = servers.settings(home, mail_password="wrong-secret-word")
    for act in (lambda: send_mail(settings, MESSAGE), lambda: Mailbox(settings)):
        with pytest.raises(Exception) as raised:
            act()
        assert "wrong-secret-word" not in f"{raised.value!r}"
    assert "wrong-secret-word" not in caplog.text + repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mail_imap", "imaps://user:password@host"),
        ("mail_imap", "https://host"),
        ("mail_imap", "smtps://host"),
        ("mail_imap", "imaps://"),
        ("mail_imap", "imaps://host:99999"),
        ("mail_smtp", "imaps://host"),
    ],
)
def test_a_wrong_address_is_refused(home: Path, name: str, value: str) -> None:
    settings = Settings(home=home, mail_address="a@b.test", **{name: value})  # type: ignore[arg-type]
    with pytest.raises(Misconfigured) as raised:
        Mailbox(settings) if name == "mail_imap" else send_mail(settings, MESSAGE)
    assert "password@" not in str(raised.value)


@pytest.mark.parametrize("room", ["", "x", "a@b\r\nBcc: c@d", "a@b, c@d", "<a@b>", "a b@c", "a@b>"])
def test_no_other_recipient_can_be_named(home: Path, room: str) -> None:
    settings = Settings(home=home, mail_address="a@b.test", mail_smtp="smtp+plain://127.0.0.1:1")
    with pytest.raises(NotConfigured):
        send_mail(settings, OutboundMessage("message", room, "x", 1, "mail"))


TEXTS = st.fixed_dictionaries({"text": st.text(), "title": st.text(), "thread": st.text()})


@pytest.mark.slow
@given(words=TEXTS)
def test_foreign_text_never_becomes_a_field(home: Path, words: dict[str, str]) -> None:
    texts: dict[str, Any] = {name: clean(text) for name, text in words.items()}
    message = OutboundMessage("message", "a@b.test", sr_id=1, channel="mail", **texts)
    settings = Settings(home=home, mail_address="guardia@mof.test")
    mail = build_mail(settings, message)
    names = {name.lower() for name in mail.keys()}  # noqa: SIM118
    assert names <= {
        "from", "to", "subject", "date", "message-id", "in-reply-to", "references",
        "auto-submitted", "x-auto-response-suppress", "x-guardia", "mime-version",
        "content-type", "content-transfer-encoding",
    }  # fmt: skip
    head = mail.as_bytes().partition(b"\r\n\r\n")[0]
    fields = [line for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t"))]
    assert len(fields) == len(mail.keys())
    assert mail["Subject"].startswith("[SR-1]")
