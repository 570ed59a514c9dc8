"""Build and send our mails by SMTP."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formataddr, formatdate

from guardia.board.core.choices import Choice
from guardia.board.core.issue_ref import issue_ref
from guardia.board.intake.channels import NotConfigured
from guardia.board.intake.mail import threads
from guardia.board.intake.mail.headers import one_line
from guardia.board.intake.mail.natures import OWN_FIELD
from guardia.board.intake.mail.servers import MailServer, parse_server, tls_context
from guardia.board.intake.mail.subjects import bare_subject
from guardia.board.notifications.delivery import OutboundMessage
from guardia.i18n import t
from guardia.settings import Settings
from guardia.text import first_line

_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", re.ASCII
)
_THREAD = re.compile(r"[!-;=?-~]{3,250}", re.ASCII)
_TIMEOUT = 10.0
_MAX_SUBJECT = 160
_PERMANENT = 500


class RecipientRefused(NotConfigured):
    """The mail server does not accept the recipient, so that a retry cannot help."""


def send_mail(settings: Settings, message: OutboundMessage) -> None:
    """Send a message as a mail.

    Raises `NotConfigured` for no server or recipient, `OSError` if sending fails.
    """
    if settings.mail_address is None or settings.mail_smtp is None:
        raise NotConfigured("no mail server is configured")
    if not _ADDRESS.fullmatch(message.room):
        raise NotConfigured("no valid recipient")
    mail = build_mail(settings, message)
    with _connected(settings) as server:
        try:
            server.send_message(mail, settings.mail_address, [message.room])
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            if codes and min(codes) >= _PERMANENT:
                raise RecipientRefused(f"recipient refused: {codes[0]}") from None
            raise


def build_mail(settings: Settings, message: OutboundMessage) -> EmailMessage:
    """Return a message as a mail in the thread of its issue."""
    address = settings.mail_address or ""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = formataddr(("GUARDiA", address))
    mail["To"] = message.room
    mail["Subject"] = _subject(message)
    mail["Date"] = formatdate()
    mail["Message-ID"] = f"<{_message_id(settings, message)}>"
    if _THREAD.fullmatch(message.thread):
        mail["In-Reply-To"] = mail["References"] = f"<{message.thread}>"
    if settings.mail_plus and message.sr_id is not None:
        key = threads.thread_key(settings)
        mail["Reply-To"] = threads.reply_address(key, message.sr_id, address)
    mail["Auto-Submitted"] = "auto-replied"
    mail["X-Auto-Response-Suppress"] = "All"
    mail[OWN_FIELD] = "1"
    mail.set_content(_text(settings, message), charset="utf-8", cte="base64")
    return mail


def _message_id(settings: Settings, message: OutboundMessage) -> str:
    domain = (settings.mail_address or "").rpartition("@")[2]
    ours = threads.OurMail(message.sr_id or 0, message.outbox_id)
    return threads.message_id(threads.thread_key(settings), ours, domain)


def _subject(message: OutboundMessage) -> str:
    words = bare_subject(message.title) or first_line(message.text)
    mark = f"[{issue_ref(message.sr_id)}] " if message.sr_id is not None else ""
    return one_line(f"{mark}{words}")[:_MAX_SUBJECT]


def _text(settings: Settings, message: OutboundMessage) -> str:
    """Return the text. A choice is a link to the page: opening it changes nothing."""
    lines = [message.text]
    if message.sr_id is not None:
        origin = (settings.public_origin or settings.board_address).rstrip("/")
        page = f"{origin}/issues/{message.sr_id}"
        lines += _choices(message.choices, page) if message.choices else ["", page]
        lines += ["", t("mail.how_to_reply", sr=issue_ref(message.sr_id))]
    return "\n".join(lines)


def _choices(choices: tuple[Choice, ...], page: str) -> list[str]:
    shown = [f"  {number}. {one_line(choice.label)}" for number, choice in enumerate(choices, 1)]
    return ["", *shown, "", t("mail.choose", link=page)]


@contextmanager
def _connected(settings: Settings) -> Iterator[smtplib.SMTP]:
    server = parse_server("GUARDIA_MAIL_SMTP", settings.mail_smtp or "")
    connection = _connect(settings, server)
    try:
        if server.user:
            secret = settings.mail_smtp_password or settings.mail_password
            connection.login(server.user, secret.get_secret_value() if secret else "")
        yield connection
    finally:
        connection.close()


def _connect(settings: Settings, server: MailServer) -> smtplib.SMTP:
    host, port, ours = server.host, server.port, (settings.mail_address or "").rpartition("@")[2]
    if server.is_tls:
        context = tls_context(settings)
        return smtplib.SMTP_SSL(host, port, ours, timeout=_TIMEOUT, context=context)
    connection = smtplib.SMTP(host, port, ours, timeout=_TIMEOUT)
    if not server.is_plain:
        try:
            connection.starttls(context=tls_context(settings))
        except BaseException:
            connection.close()
            raise
    return connection
