"""Message ids of our mails: each proves that its holder received a mail of an issue from us."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from guardia.org.credential_store import FileCredentialStore
from guardia.settings import Settings

_KEY = "mail-thread-key"
_DOMAIN = b"guardia.mail.thread.v1\n"
_TOKEN_BYTES = 15
_FORMAT = re.compile(r"sr(\d{1,18})\.(\d{1,18})\.([a-z2-7]{24})@[^\s<>@]{1,255}", re.ASCII)
_PLUS = re.compile(r"[^\s<>@]{1,64}\+sr(\d{1,18})\.([a-z2-7]{24})@[^\s<>@]{1,255}", re.ASCII)


@dataclass(frozen=True, slots=True)
class OurMail:
    """One of our mails, named by its message id or by an address for replies."""

    sr_id: int
    outbox_id: int = 0
    """The message of the outbox; 0 if only the issue is known."""


def thread_key(settings: Settings) -> bytes:
    """Return the key of the tokens; it is made at its first use."""
    return _thread_key(settings.secrets)


@lru_cache(maxsize=4)
def _thread_key(folder: Path) -> bytes:
    store = FileCredentialStore(folder)
    return store.get_or_create(_KEY, lambda: secrets.token_hex(32)).encode()


def message_id(key: bytes, mail: OurMail, domain: str) -> str:
    """Return the message id of a mail, without brackets. A repeated mail has the same."""
    token = _token(key, f"id|{mail.sr_id}|{mail.outbox_id}")
    return f"sr{mail.sr_id}.{mail.outbox_id}.{token}@{domain}"


def reply_address(key: bytes, sr_id: int, address: str) -> str:
    """Return our address that leads a reply to an issue: `guardia+sr12.TOKEN@domain`."""
    name, _, domain = address.partition("@")
    return f"{name}+sr{sr_id}.{_token(key, f'to|{sr_id}')}@{domain}"


def find_own_mail(
    key: bytes, message_ids: Iterable[str], recipients: Iterable[str]
) -> OurMail | None:
    """Return the first of our mails among message ids and addresses, or `None`."""
    for one in message_ids:
        found = _FORMAT.fullmatch(one)
        if found and _is_token(found[3], key, f"id|{int(found[1])}|{int(found[2])}"):
            return OurMail(int(found[1]), int(found[2]))
    for one in recipients:
        found = _PLUS.fullmatch(one)
        if found and _is_token(found[2], key, f"to|{int(found[1])}"):
            return OurMail(int(found[1]))
    return None


def _is_token(given: str, key: bytes, subject: str) -> bool:
    return hmac.compare_digest(given, _token(key, subject))


def _token(key: bytes, subject: str) -> str:
    digest = hmac.new(key, _DOMAIN + subject.encode(), hashlib.sha256).digest()
    return base64.b32encode(digest[:_TOKEN_BYTES]).decode().lower()
