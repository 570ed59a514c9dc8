"""One mailbox over IMAP."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from imapclient import SEEN, IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientError

from guardia.board.intake.mail.servers import MailServer, parse_server, tls_context
from guardia.settings import Settings

IMAP_ERRORS = (IMAPClientError, OSError)
_TIMEOUT = SocketTimeout(connect=10, read=60)
_BEGINNING = 262_144
"""Bytes that are read of a mail that is too large."""
_SLICE = 1.0
_RENEW_AFTER = 30.0
"""Seconds after which we look again: the server may have announced a mail while another one was
read, and firewalls forget idle connections."""
_MEGABYTE = 1 << 20


class Mailbox:
    """A selected folder; closed at the end of the block."""

    def __init__(self, settings: Settings) -> None:
        """Connect, sign in and open the folder. Raises `Misconfigured` and `IMAP_ERRORS`."""
        server = parse_server("GUARDIA_MAIL_IMAP", settings.mail_imap or "")
        self.key = mailbox_key(server)
        self._max_size = settings.mail_megabytes * _MEGABYTE
        self._done_folder = settings.mail_done_folder
        self._client = _connect(settings, server)
        try:
            secret = settings.mail_password
            self._client.login(server.user, secret.get_secret_value() if secret else "")
            selected: dict[bytes, Any] = self._client.select_folder(server.folder)
            self.uid_validity = int(selected[b"UIDVALIDITY"])
            capabilities = self._client.capabilities()
            self._can_idle, self._can_move = b"IDLE" in capabilities, b"MOVE" in capabilities
            if self._done_folder and not self._client.folder_exists(self._done_folder):
                self._client.create_folder(self._done_folder)
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            with suppress(*IMAP_ERRORS):
                self._client.logout()
        self._close()

    def uids_after(self, uid: int) -> list[int]:
        """Return the mails after a uid, oldest first."""
        # `5:*` also returns the last mail if its uid is smaller.
        return sorted(u for u in self._client.search(["UID", f"{uid + 1}:*"]) if u > uid)

    def unseen_uids(self) -> list[int]:
        """Return the mails that are not marked as read, oldest first."""
        return sorted(self._client.search(["UNSEEN"]))

    def uids_since(self, moment: datetime) -> list[int]:
        """Return the mails that arrived on a day or after it, oldest first."""
        return sorted(self._client.search(["SINCE", moment.date()]))

    def highest_uid(self) -> int:
        """Return the uid of the newest mail, or 0."""
        return max(self._client.search(["UID", "*"]), default=0)

    def fetch(self, uid: int) -> tuple[bytes, bool] | None:
        """Return a mail and whether it is only its beginning; `None` if it is gone."""
        sizes = self._client.fetch([uid], ["RFC822.SIZE"])
        if uid not in sizes:
            return None
        large = int(sizes[uid][b"RFC822.SIZE"]) > self._max_size
        wanted = f"BODY.PEEK[]<0.{_BEGINNING}>" if large else "BODY.PEEK[]"
        found = self._client.fetch([uid], [wanted]).get(uid)
        if not found:
            return None
        content = next((v for k, v in found.items() if k.startswith(b"BODY[")), None)
        return None if content is None else (bytes(content), large)

    def put_away(self, uid: int) -> None:
        """Mark a stored mail as read, and move it if a folder is configured."""
        self._client.add_flags([uid], [SEEN])
        if not self._done_folder:
            return
        if self._can_move:
            self._client.move([uid], self._done_folder)
        else:
            self._client.copy([uid], self._done_folder)
            self._client.delete_messages([uid])
            self._client.expunge([uid]) if self._client.has_capability("UIDPLUS") else None

    def wait(self, seconds: float, is_over: Callable[[float], bool]) -> None:
        """Wait for news: announced by the server (IDLE), or for so many seconds.

        `is_over(seconds)` waits up to so many seconds and says whether to stop.
        """
        if not self._can_idle:
            is_over(seconds)
            self._client.noop()
            return
        self._client.idle()
        waited = 0.0
        while waited < _RENEW_AFTER and not is_over(0.0):
            if any(answer[1:2] == (b"EXISTS",) for answer in self._client.idle_check(_SLICE)):
                break
            waited += _SLICE
        self._client.idle_done()

    def _close(self) -> None:
        with suppress(*IMAP_ERRORS):
            self._client.shutdown()


def mailbox_key(server: MailServer) -> str:
    """Return the name of a mailbox under which its position is kept."""
    return f"{server.user}@{server.host}:{server.port}/{server.folder}"


def _connect(settings: Settings, server: MailServer) -> IMAPClient:
    context = None if server.is_plain else tls_context(settings)
    client = IMAPClient(
        server.host,
        server.port,
        ssl=server.is_tls,
        ssl_context=context if server.is_tls else None,
        timeout=_TIMEOUT,
    )
    if not server.is_tls and not server.is_plain:
        client.starttls(context)
    return client
