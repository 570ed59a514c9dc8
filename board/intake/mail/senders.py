"""Who wrote a mail: an address counts as a person only if our own server has proved it."""

from __future__ import annotations

from dataclasses import dataclass

from guardia.board.core.context import BoardContext
from guardia.board.intake.mail.authentication import TrustedServer, is_proved
from guardia.board.intake.mail.message import InboundMail
from guardia.i18n import t_default
from guardia.org import identity
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo
from guardia.settings import Settings

CHANNEL = "mail"


@dataclass(frozen=True, slots=True)
class MailSender:
    """The sender of a mail."""

    address: str
    name: str
    verified: bool
    person: PersonInfo | None
    """The owner of a verified address that is linked to an active account."""

    @property
    def account(self) -> str:
        """The address, if it may name an account."""
        return self.address if self.verified else ""

    @property
    def label(self) -> str:
        """Name and address for people, who must see that a sender may be forged."""
        who = f"{self.name} <{self.address}>" if self.name else self.address
        return who if self.verified else t_default("mail.unverified", who=who)

    @property
    def is_staff(self) -> bool:
        """Whether the sender is a person who may read plans."""
        return self.person is not None and is_allowed(self.person, "plan.read")


def identify_sender(board: BoardContext, settings: Settings, mail: InboundMail) -> MailSender:
    """Return the sender of a mail."""
    trusted = TrustedServer(settings.mail_trusted_server, settings.mail_own_hops)
    verified = is_proved(mail.address, mail.authentication, trusted)
    person = None
    if verified:
        with board.database.reading() as session:
            row = identity.person_of_account(session, CHANNEL, mail.address)
            person = row.as_info() if row is not None and row.active else None
    return MailSender(mail.address, mail.name, verified, person)


def is_permitted_domain(address: str, settings: Settings) -> bool:
    """Return whether senders of this domain may write at all."""
    listed = [part.strip().lower() for part in settings.mail_domains.split(",") if part.strip()]
    domain = address.rpartition("@")[2]
    return not listed or any(domain == one or domain.endswith(f".{one}") for one in listed)
