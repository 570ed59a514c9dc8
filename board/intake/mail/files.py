"""What of a mail's files is kept: no resident number, nothing that is unpacked, within limits."""

from __future__ import annotations

from collections.abc import Iterator

from guardia.board.artifacts.attachments import NewAttachment, digest_of
from guardia.board.artifacts.screening import kept_content
from guardia.board.intake.mail.message import InboundMail
from guardia.i18n import t_default

MAX_KEPT = 20
"""Files of a mail whose content is kept."""
_MAX_TOTAL = 50_000_000


def files_to_keep(mail: InboundMail) -> list[NewAttachment]:
    """Return the mail's whole text, if it is more than the request, and its attachments."""
    found = [_original(mail)] if mail.original.strip() != mail.text.strip() else []
    return [*found, *_attachments(mail)]


def _original(mail: InboundMail) -> NewAttachment:
    content = mail.original.encode()
    name = t_default("mail.original_name")
    return NewAttachment(name, "text/plain", len(content), digest_of(content), content)


def _attachments(mail: InboundMail) -> Iterator[NewAttachment]:
    total = 0
    for number, file in enumerate(mail.attachments):
        content, reason = kept_content(file.name, file.media_type, file.content)
        if content is not None and (number >= MAX_KEPT or total + len(content) > _MAX_TOTAL):
            content, reason = None, "too_many"
        if mail.incomplete and file is mail.attachments[-1]:
            content, reason = None, "incomplete"
        total += len(content or b"")
        size, digest = len(file.content), digest_of(file.content)
        yield NewAttachment(file.name, file.media_type, size, digest, content, reason)
