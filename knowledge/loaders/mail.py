"""E-mail and web archives: a MIME message with texts."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import compat32

from guardia.board.artifacts.charsets import decode
from guardia.board.intake.mail.parsing import parse_mail
from guardia.knowledge.loaders import html
from guardia.knowledge.loaders.reading import Unreadable
from guardia.knowledge.passages import Block

_MOST_PARTS = 500


def blocks(data: bytes, name: str = "") -> list[Block]:
    """Return subject, sender and text of a mail, and the names of its files.

    The tables and headings of a mail in HTML stay.
    """
    mail = parse_mail(data)
    if not (mail.subject or mail.original or mail.address):
        raise Unreadable("no_text")
    found = [Block("heading", mail.subject, level=1)] if mail.subject else []
    if mail.address:
        found.append(Block("text", f"{mail.name} <{mail.address}>".strip()))
    page = _page(data)
    found.extend(html.blocks_of(page) if page else [Block("text", mail.original)])
    if mail.attachments:
        found.append(Block("text", "\n".join(f"- {one.name}" for one in mail.attachments)))
    return found


def archive_blocks(data: bytes, name: str = "") -> list[Block]:
    """Return the blocks of a web page that was saved as one file."""
    page = _page(data)
    if page is None:
        raise Unreadable("no_text")
    return html.blocks_of(page)


def _page(data: bytes) -> str | None:
    """Return the first HTML of a message, or `None`."""
    for number, part in enumerate(message_from_bytes(data, policy=compat32).walk()):
        if number > _MOST_PARTS:
            return None
        if part.get_content_type() == "text/html" and not part.get_filename():
            content = part.get_payload(decode=True)
            if isinstance(content, bytes):
                return decode(content, str(part.get_content_charset("") or ""))
    return None
