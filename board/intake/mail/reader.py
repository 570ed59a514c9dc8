"""Read a mailbox for as long as a worker lives; of all hosts, one reads.

A mail is put away only after the board has stored it. If anything fails in between, it is read
again and found stored: so a restart of this process, the database or the mail server loses nothing
and opens nothing twice.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from datetime import timedelta

from guardia.board.core import outbox
from guardia.board.core.context import BoardContext
from guardia.board.intake.mail.incoming import receive_mail
from guardia.board.intake.mail.mailbox import Mailbox
from guardia.board.intake.mail.parsing import parse_mail
from guardia.board.intake.mail.positions import Position, get_position, set_position
from guardia.board.intake.mail.servers import require_valid
from guardia.db.engine import OUTAGE_ERRORS, repeat_on_conflict
from guardia.db.leadership import Leadership
from guardia.i18n import t_default
from guardia.settings import Settings

log = logging.getLogger(__name__)

LOCK = "guardia.mail.reader"
_PAUSES = (1.0, 2.0, 5.0, 15.0, 30.0, 60.0)
"""Seconds to wait after each failure; the last one repeats."""
_ALERT_AFTER = 6
"""Failures in a row until people are alerted: about two minutes."""
_ATTEMPTS = 3
"""How often a mail is tried to be stored."""
_STANDBY = 5.0
"""Seconds between two looks whether another host still reads."""
_OVERLAP = timedelta(days=2)
"""How far before the last read mail a mailbox is searched whose uids have become void."""


class MailReader:
    """Reads one mailbox. Raises `Misconfigured` for settings that cannot work."""

    def __init__(self, board: BoardContext, settings: Settings, closing: threading.Event) -> None:
        require_valid(settings)
        self._board, self._settings, self._closing = board, settings, closing
        self._lock = Leadership(board.database.dsn, LOCK)
        self._failures = 0
        self._attempts: Counter[int] = Counter()

    def run(self) -> None:
        """Read until this process shuts down; reconnect after every failure."""
        try:
            while not self._closing.is_set():
                self._closing.wait(self._read_or_pause())
        finally:
            self._lock.release()

    def _read_or_pause(self) -> float:
        """Read while all goes well; return for how many seconds to wait then."""
        try:
            if not self._lock.acquire():
                return _STANDBY
            self._read()
            return 0.0
        except Exception as error:  # whatever fails, mails wait in the mailbox until it works again
            self._failures += 1
            # The text of an error may contain what a server or a sender chose.
            log.warning("the mailbox cannot be read: %s", type(error).__name__)
            if self._failures == _ALERT_AFTER:
                self._alert(t_default("mail.unreachable", error=type(error).__name__))
            return _PAUSES[min(self._failures, len(_PAUSES)) - 1]

    def _read(self) -> None:
        with Mailbox(self._settings) as mailbox:
            log.info("reading the mailbox %s", mailbox.key)
            position = get_position(self._board, mailbox.key)
            last = self._catch_up(mailbox, position)
            while not self._closing.is_set() and self._lock.is_held():
                last = self._store(mailbox, mailbox.uids_after(last), last)
                self._failures = 0
                if not self._closing.is_set():
                    mailbox.wait(self._settings.mail_poll_seconds, self._closing.wait)

    def _catch_up(self, mailbox: Mailbox, position: Position | None) -> int:
        """Store what waits since the last time; return the uid from which reading goes on."""
        if position is not None and position.uid_validity == mailbox.uid_validity:
            self._put_away_stored(mailbox, position.last_uid)
            return position.last_uid
        newest = mailbox.highest_uid()
        if position is None:
            waiting = mailbox.unseen_uids()
        else:
            log.warning("the mailbox has new uids; mails of the last days are compared")
            waiting = mailbox.uids_since(position.read_at - _OVERLAP)
        for uid in [one for one in waiting if one <= newest]:
            self._store_one(mailbox, uid)
        set_position(self._board, mailbox.key, mailbox.uid_validity, newest)
        return newest

    def _put_away_stored(self, mailbox: Mailbox, last: int) -> None:
        """Put away what was stored when an earlier process ended before it could."""
        for uid in [one for one in mailbox.unseen_uids() if one <= last]:
            mailbox.put_away(uid)

    def _store(self, mailbox: Mailbox, uids: list[int], last: int) -> int:
        for uid in uids:
            if self._closing.is_set() or not self._lock.is_held():
                return last
            self._store_one(mailbox, uid)
            set_position(self._board, mailbox.key, mailbox.uid_validity, uid)
            last = uid
        return last

    def _store_one(self, mailbox: Mailbox, uid: int) -> None:
        found = mailbox.fetch(uid)
        if found is None:
            return
        raw, incomplete = found
        try:
            mail = parse_mail(raw, incomplete=incomplete)
            outcome = receive_mail(self._board, self._settings, mail)
        except OUTAGE_ERRORS:
            raise
        except Exception as error:
            self._give_up(uid, error)
            return
        log.info("mail %s: %s", uid, outcome.value)
        mailbox.put_away(uid)

    def _give_up(self, uid: int, error: Exception) -> None:
        """Leave a mail unread that cannot be stored, after some attempts: others wait behind it."""
        self._attempts[uid] += 1
        if self._attempts[uid] < _ATTEMPTS:
            raise error
        log.exception("mail %s cannot be stored", uid)
        self._alert(t_default("mail.stuck", uid=uid, error=type(error).__name__))

    def _alert(self, text: str) -> None:
        try:
            _send_alert(self._board, text)
        except Exception as error:
            log.warning("people cannot be alerted: %s", type(error).__name__)


@repeat_on_conflict
def _send_alert(board: BoardContext, text: str) -> None:
    with board.database.transaction() as session:
        outbox.send(session, "alert", text, board.clock(), sr_id=None)
