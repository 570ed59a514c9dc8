"""Message ids and addresses that lead a reply to its issue."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia.board.intake.mail import threads
from guardia.board.intake.mail.threads import OurMail
from guardia.settings import Settings

KEY = b"key"
numbers = st.integers(1, 10**17)


@given(numbers, numbers)
@pytest.mark.slow
def test_only_unchanged_ids_of_the_same_key_are_ours(sr_id: int, outbox_id: int) -> None:
    mail = OurMail(sr_id, outbox_id)
    found = threads.message_id(KEY, mail, "mof.go.kr")
    address = threads.reply_address(KEY, sr_id, "guardia@mof.go.kr")
    assert threads.find_own_mail(KEY, ["x@y", found], []) == mail
    assert threads.find_own_mail(KEY, [], ["a@b", address]) == OurMail(sr_id)
    assert threads.find_own_mail(b"other", [found], [address]) is None
    other = found.replace(f"sr{sr_id}.", f"sr{sr_id + 1}.", 1)
    assert threads.find_own_mail(KEY, [other], [address.replace("+sr", "+sr1", 1)]) is None
    # A token of an address is none of a message id.
    token = address.partition(".")[2].partition("@")[0]
    assert threads.find_own_mail(KEY, [f"sr{sr_id}.0.{token}@mof.go.kr"], []) is None


def test_the_key_is_made_once_and_encrypted(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    key = threads.thread_key(settings)
    assert threads.thread_key(Settings(home=tmp_path)) == key
    assert key not in (settings.secrets / "mail-thread-key").read_bytes()
