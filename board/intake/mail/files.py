"""What of a mail's files is kept: no resident number, nothing that is unpacked, within limits."""

from __future__ import annotations

import re
from collections.abc import Iterator

from guardia.board.artifacts.attachments import NewAttachment, digest_of
from guardia.board.intake.mail import office
from guardia.board.intake.mail.charsets import decode
from guardia.board.intake.mail.message import InboundMail, MailAttachment
from guardia.i18n import t_default
from guardia.personal_numbers import mask_resident_numbers

MAX_KEPT = 20
"""Files of a mail whose content is kept."""
_MAX_TOTAL = 50_000_000
_TEXT_TYPES = re.compile(r"text/.*|application/(json|xml|x-sh|sql|csv|yaml|.*\+(json|xml))")
_HYPHENATED = re.compile(
    rb"(?<!\d)\d\x00?\d\x00?[01]\x00?\d\x00?[0-3]\x00?\d\x00?-\x00?[1-8]\x00?(?:\d\x00?){6}(?!\d)"
)


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
        content, reason = _kept_content(file)
        if content is not None and (number >= MAX_KEPT or total + len(content) > _MAX_TOTAL):
            content, reason = None, "too_many"
        if mail.incomplete and file is mail.attachments[-1]:
            content, reason = None, "incomplete"
        total += len(content or b"")
        size, digest = len(file.content), digest_of(file.content)
        yield NewAttachment(file.name, file.media_type, size, digest, content, reason)


def _kept_content(file: MailAttachment) -> tuple[bytes | None, str]:
    """Return what is stored of a file, or why nothing is."""
    if _is_text(file):
        text = decode(file.content)
        masked = mask_resident_numbers(text)
        return (file.content if masked == text else masked.encode("utf-8", "replace")), ""
    if _HYPHENATED.search(file.content):
        return None, "personal"
    if file.content.startswith(b"PK") and file.name.lower().endswith(office.ENDINGS):
        found = office.has_resident_number(file.content)
        return (None, "personal") if found else (file.content, "")
    return file.content, ""


def _is_text(file: MailAttachment) -> bool:
    if b"\x00" in file.content[:65_536]:
        return False
    if _TEXT_TYPES.fullmatch(file.media_type.lower()) or file.media_type == "message/rfc822":
        return True
    return file.name.lower().endswith(
        (".txt", ".log", ".csv", ".json", ".xml", ".sql", ".md", ".eml")
    )
