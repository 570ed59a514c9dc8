"""The thread of a worker that reads the mailbox."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from guardia.board.core.context import BoardContext
from guardia.settings import Settings

_GRACE = 5.0


class MailThread:
    """Reads from the beginning of the block to its end; mails of this moment are stored whole."""

    def __init__(self, settings: Settings, board: BoardContext, closing: threading.Event) -> None:
        # Loads an IMAP client: only for those who configured a mailbox.
        from guardia.board.intake.mail.reader import MailReader

        self._closing = closing
        self._thread = threading.Thread(
            target=MailReader(board, settings, closing).run, name="mail", daemon=True
        )

    def has_ended(self) -> bool:
        """Return whether the thread has ended on its own."""
        return not self._closing.is_set() and not self._thread.is_alive()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._thread.join(_GRACE)
