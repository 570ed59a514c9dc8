"""What is read from a mail: types, and limits of what is kept."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum

from pydantic.dataclasses import dataclass

from guardia.text import CleanStr

MAX_TEXT = 1_000_000
"""Bytes of one text part that are decoded."""
MAX_ORIGINAL = 200_000
"""Characters of the whole text that are kept."""
MAX_PARTS = 1_000
"""Parts of a mail that are looked at."""
MAX_NAMED = 50
"""Attachments that are listed; more are only counted."""


class MailNature(StrEnum):
    """What kind of mail it is; only the first may become an issue or an answer."""

    PERSONAL = "personal"
    OWN = "own"
    """Sent by this installation."""
    AUTOMATIC = "automatic"
    """An automatic reply, a notice of absence, a receipt."""
    LIST = "list"
    """A mailing list or advertisement."""
    BOUNCE = "bounce"
    """Another server could not deliver our mail."""


@dataclass(frozen=True, slots=True)
class MailAttachment:
    """A file of a mail. `content` is empty if it was too large or one of too many."""

    name: CleanStr
    media_type: CleanStr
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bounce:
    """A server's report that a mail was not delivered."""

    message_ids: tuple[str, ...]
    """Ids in the returned mail, among them perhaps one of our own."""
    recipient: CleanStr
    status: str
    """Such as `5.1.1`; empty if the report has none."""
    final: bool
    """Whether the server has given up."""


@dataclass(frozen=True, slots=True)
class InboundMail:
    """A mail as it was read."""

    external_id: CleanStr
    """The message id, or a digest for a mail without one."""
    message_id: CleanStr
    """Empty if the mail has none."""
    address: CleanStr
    """The address of `From` in lower case; empty if there is no single valid one."""
    name: CleanStr
    recipients: tuple[str, ...]
    subject: CleanStr
    text: CleanStr
    """What the sender wrote, without quotations and signature."""
    original: CleanStr
    """The whole text."""
    replied_to: tuple[str, ...] = ()
    """Message ids of `In-Reply-To`, then of `References` from the last to the first."""
    nature: MailNature = MailNature.PERSONAL
    bounce: Bounce | None = None
    attachments: tuple[MailAttachment, ...] = ()
    more_attachments: int = 0
    """Attachments beyond those listed."""
    incomplete: bool = False
    """Whether only its beginning was read because it is too large."""
    authentication: tuple[str, ...] = ()
    """Fields `Authentication-Results` above which only our own servers wrote; see `senders`."""
