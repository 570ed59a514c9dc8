"""Reads a mailbox until it is killed: `python mail_reader_run.py DSN`."""

from __future__ import annotations

import json
import os
import sys
import threading

from board_env import open_env

from guardia.board.intake.mail.reader import MailReader
from guardia.settings import Settings

if __name__ == "__main__":
    given = json.loads(os.environ["GUARDIA_TEST_MAIL"])
    with open_env(sys.argv[1]) as env:
        settings = Settings(**(given | {"mail_password": "secret"}))
        MailReader(env.board, settings, threading.Event()).run()
