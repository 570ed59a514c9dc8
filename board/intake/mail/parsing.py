"""Read a mail from its bytes. Never fails: what is broken is read as far as possible."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import compat32

from pydantic.dataclasses import dataclass as pydantic_dataclass

from guardia.board.artifacts.charsets import decode
from guardia.board.artifacts.screening import MAX_NAME, safe_name
from guardia.board.intake.mail import headers, natures
from guardia.board.intake.mail.html_text import html_text
from guardia.board.intake.mail.message import (
    MAX_NAMED,
    MAX_ORIGINAL,
    MAX_PARTS,
    MAX_TEXT,
    InboundMail,
    MailAttachment,
)
from guardia.board.intake.mail.quotes import strip_reply
from guardia.board.intake.mail.subjects import is_forward, is_reply
from guardia.text import CleanStr, is_blank, trim

log = logging.getLogger(__name__)

_MAX_DEPTH = 20
_MAX_ID = 200


@pydantic_dataclass(frozen=True)
class _Text:
    """A text of a mail, cleaned before rules read it."""

    shown: CleanStr


@dataclass
class _Contents:
    """Texts and files of a mail, in their order."""

    plain: list[str] = field(default_factory=list)
    attachments: list[MailAttachment] = field(default_factory=list)
    parts: int = 0
    beyond: int = 0


def parse_mail(raw: bytes, *, incomplete: bool = False) -> InboundMail:
    """Return a mail; `incomplete`: `raw` is only its beginning."""
    try:
        return _parse(raw, incomplete)
    except (
        RecursionError,
        MemoryError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
    ) as error:
        # Parts within parts, thousands deep, or what no parser expects: its text is still a text.
        log.warning("a mail was read as text: %s", type(error).__name__)
        return _parse(_as_text(raw), incomplete)


def _parse(raw: bytes, incomplete: bool) -> InboundMail:
    message = message_from_bytes(raw, policy=compat32)
    subject = _Text(headers.text_field(message, "subject")[:500]).shown
    replied_to = _replied_to(message)
    answers = (bool(replied_to) or is_reply(subject)) and not is_forward(subject)
    contents, own_words = _Contents(), _Contents()
    _collect(message, contents, with_quotes=True)
    if answers:
        _collect(message, own_words, with_quotes=False)
    original = trim(_Text("\n\n".join(contents.plain)).shown, MAX_ORIGINAL)
    written = trim(_Text("\n\n".join(own_words.plain)).shown, MAX_ORIGINAL) if answers else ""
    name, address = _sender(message)
    message_id = next(iter(headers.message_ids(headers.raw_field(message, "message-id"))), "")
    return InboundMail(
        external_id=_external_id(message_id, raw),
        message_id=message_id if len(message_id) <= _MAX_ID else "",
        address=address,
        name=name[:MAX_NAME],
        recipients=_recipients(message),
        subject=subject,
        text=strip_reply(written or original, is_reply=answers),
        original=original,
        replied_to=replied_to,
        nature=natures.nature_of(message, subject),
        bounce=natures.bounce_of(message),
        attachments=tuple(contents.attachments),
        more_attachments=contents.beyond,
        incomplete=incomplete,
        authentication=natures.results_of_own_servers(message),
    )


def _as_text(raw: bytes) -> bytes:
    """Return the mail with the fields that name it, and its body as plain text."""
    head, _, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    kept = (b"from:", b"subject:", b"message-id:", b"return-path:", b"auto-submitted:")
    lines = [line for line in head[:MAX_TEXT].split(b"\n") if line.lower().startswith(kept)]
    return b"\n".join([*lines, b"Content-Type: text/plain", b"", body[:MAX_TEXT]])


def _external_id(message_id: str, raw: bytes) -> str:
    if message_id and len(message_id) <= _MAX_ID:
        return headers.one_line(message_id)
    return f"sha256:{hashlib.sha256(message_id.encode() if message_id else raw).hexdigest()}"


def _sender(message: Message) -> tuple[str, str]:
    """Return name and address of the only sender; no address if there are several or none."""
    found = [
        one for value in headers.raw_fields(message, "from") for one in headers.addresses(value)
    ]
    if len(found) == 1:
        return found[0]
    return headers.text_field(message, "from")[:MAX_NAME], ""


def _recipients(message: Message) -> tuple[str, ...]:
    fields = ("to", "cc", "delivered-to", "x-original-to")
    values = [value for name in fields for value in headers.raw_fields(message, name)]
    return tuple(dict.fromkeys(a for value in values for _, a in headers.addresses(value)))[:100]


def _replied_to(message: Message) -> tuple[str, ...]:
    direct = headers.message_ids(headers.raw_field(message, "in-reply-to"))
    thread = reversed(headers.message_ids(headers.raw_field(message, "references")))
    return tuple(dict.fromkeys([*direct, *thread]))


def _collect(message: Message, contents: _Contents, *, with_quotes: bool) -> None:
    contents.plain.append(_walk(message, contents, with_quotes, 0))


def _walk(part: Message, contents: _Contents, with_quotes: bool, depth: int) -> str:
    """Return the text of a part; keep its files in `contents`."""
    contents.parts += 1
    if contents.parts > MAX_PARTS or depth > _MAX_DEPTH:
        contents.beyond += 1
        return ""
    kind = part.get_content_type()
    if kind == "message/rfc822" or not part.is_multipart():
        return _leaf(part, kind, contents, with_quotes)
    children = part.get_payload()
    assert isinstance(children, list)
    texts = [
        (child.get_content_type(), _walk(child, contents, with_quotes, depth + 1))
        for child in children
        if isinstance(child, Message)
    ]
    if kind == "multipart/alternative":
        return _preferred(texts)
    return "\n\n".join(text for _, text in texts if not is_blank(text))


def _preferred(texts: list[tuple[str, str]]) -> str:
    """Return the plain text of alternatives, unless it is empty or only says where to look."""
    plain = next((text for kind, text in texts if kind == "text/plain"), "")
    other = next(
        (text for kind, text in reversed(texts) if kind != "text/plain" and text.strip()), ""
    )
    is_hint = len(plain.strip()) < 200 and "html" in plain.lower() and len(other) > len(plain)
    return other if other and (is_blank(plain) or is_hint) else plain


def _leaf(part: Message, kind: str, contents: _Contents, with_quotes: bool) -> str:
    name = _file_name(part)
    disposition = headers.raw_field(part, "content-disposition").lower()
    is_text = kind in {"text/plain", "text/html"}
    if not is_text or disposition.startswith("attachment") or (name and kind != "text/html"):
        _attach(part, kind, name, contents)
        return ""
    data = _bytes_of(part)[:MAX_TEXT]
    text = decode(data, headers.parameter(headers.raw_field(part, "content-type"), "charset"))
    return html_text(text, with_quotes=with_quotes) if kind == "text/html" else text


def _attach(part: Message, kind: str, name: str, contents: _Contents) -> None:
    if len(contents.attachments) >= MAX_NAMED:
        contents.beyond += 1
        return
    content = _bytes_of(part)
    fallback = f"{contents.parts}.{'eml' if kind == 'message/rfc822' else 'bin'}"
    contents.attachments.append(
        MailAttachment(name or fallback, kind[:100].encode("ascii", "replace").decode(), content)
    )


def _bytes_of(part: Message) -> bytes:
    if part.is_multipart():
        inner = part.get_payload(0)
        return inner.as_bytes() if isinstance(inner, Message) else b""
    found = part.get_payload(decode=True)
    return found if isinstance(found, bytes) else b""


def _file_name(part: Message) -> str:
    given = headers.parameter(headers.raw_field(part, "content-disposition"), "filename")
    given = given or headers.parameter(headers.raw_field(part, "content-type"), "name")
    return safe_name(given)
