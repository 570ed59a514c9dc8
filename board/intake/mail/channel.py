"""The channel: replies leave as mails. Mails are received by `reader`, which a worker runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import httpx

from guardia.board.intake.channels import Endpoint
from guardia.board.intake.mail import sending
from guardia.board.intake.mail.senders import CHANNEL
from guardia.board.notifications.delivery import OutboundMessage
from guardia.settings import Settings


class MailChannel:
    """A mailbox: it has no endpoint, because mails are fetched."""

    name = CHANNEL
    settings = (
        "mail_address",
        "mail_imap",
        "mail_smtp",
        "mail_password",
        "mail_smtp_password",
        "mail_ca",
        "mail_trusted_server",
        "mail_own_hops",
        "mail_domains",
        "mail_plus",
        "mail_done_folder",
        "mail_poll_seconds",
        "mail_megabytes",
    )
    endpoints: ClassVar[Mapping[str, Endpoint[Any]]] = {}

    def send(self, settings: Settings, message: OutboundMessage, client: httpx.Client) -> None:
        """Send by SMTP; a repeated message has the same message id."""
        sending.send_mail(settings, message)
