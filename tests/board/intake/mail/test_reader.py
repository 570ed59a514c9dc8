"""Mails through a real SMTP server and Dovecot to the board, and its replies back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from board_env import BoardEnv
from imapclient.imap_utf7 import encode
from mail_installation import Installation, mail, reply_to
from mail_servers import MailServers
from waiting import wait_until

SUPPORT = Path(__file__).resolve().parents[3] / "support"
pytestmark = pytest.mark.slow


def test_a_mail_opens_an_issue_and_its_reply_comes_back_in_the_thread(site: Installation) -> None:
    first = mail()
    site.send(first)
    site.read(1)
    found = site.rows("select title, body, channel, room, requester_name from tb_sr_request")
    assert found == [
        (
            "운영DB 느림",
            "기재부 운영DB 쿼리가 너무 느려요",
            "mail",
            "jang@mof.test",
            "장하늘 <jang@mof.test>",
        )
    ]
    site.deliver_all()
    site.deliver_all()
    (ours,) = site.servers.mails("jang@mof.test")
    assert ours["Subject"] == "[SR-1] 운영DB 느림"
    assert ours["In-Reply-To"] == ours["References"] == first["Message-ID"]
    assert ours["Auto-Submitted"] == "auto-replied" and ours["From"] == f"GUARDiA <{site.address}>"
    text = ours.get_payload(decode=True).decode()
    assert text.startswith("SR-1로 접수했습니다.") and "https://board.test/issues/1" in text

    site.send(reply_to(ours))
    site.read(2)
    assert site.rows("select count(*) from tb_sr_request") == [(1,)]
    ((author, body),) = site.comments()
    assert author == "channel:mail" and "2호기입니다" in body and "jang@mof.test" in body


def test_idle_announces_a_mail_and_a_server_without_it_is_polled(
    env: BoardEnv, servers: MailServers, tmp_path: Path
) -> None:
    with MailServers(idle=False) as polled:
        # With IDLE, the interval of polling plays no part.
        for one, seconds in ((servers, 3600), (polled, 5)):
            site = Installation(env, one, tmp_path, mail_poll_seconds=seconds)
            before = len(site.outcomes())
            with site.reading():
                for number in (1, 2):
                    site.send(mail(f"{number}"))
                    site.wait_for(before + number)


def test_a_killed_reader_loses_nothing_and_opens_nothing_twice(site: Installation) -> None:
    with site.reading():
        assert wait_until(lambda: site.rows("select 1 from tb_mailbox"))
    sent = 12
    for number in range(sent):
        site.send(mail(f"요청 {number}", sender=f"p{number}@mof.test"))
    for _ in range(2):
        before = site.rows("select count(*) from tb_mail")[0][0]
        process = subprocess.Popen(
            [sys.executable, SUPPORT / "mail_reader_run.py", site.env.dsn],
            env={**os.environ, "GUARDIA_TEST_MAIL": site.settings.model_dump_json()},
        )
        assert wait_until(
            lambda n=before: site.rows("select count(*) from tb_mail")[0][0] >= n + 2, pause=0.01
        )
        process.send_signal(signal.SIGKILL)
        process.wait()
    site.read(sent)
    titles = {one for (one,) in site.rows("select title from tb_sr_request")}
    assert titles == {f"요청 {number}" for number in range(sent)}
    assert site.rows("select count(*) from tb_sr_request") == [(sent,)]
    assert site.rows("select count(*) from tb_outbox") == [(sent,)]


def test_a_restarted_server_and_new_uids_lose_nothing(site: Installation) -> None:
    site.send(mail("처음"))
    with site.reading():
        assert wait_until(lambda: site.outcomes() == ["issue"])
        site.servers.stop()
        site.servers.start()
        site.send(mail("다시"))
        assert wait_until(lambda: site.outcomes() == ["issue"] * 2)
    validity = "select uid_validity from tb_mailbox"
    before = site.rows(validity)
    site.servers.stop()
    site.servers.forget_uids(site.address)
    site.servers.start()
    site.send(mail("새 번호"))
    site.read(3)
    assert site.rows(validity) != before
    assert site.rows("select title from tb_sr_request order by sr_id") == [
        ("처음",),
        ("다시",),
        ("새 번호",),
    ]


def test_of_two_readers_one_reads(site: Installation) -> None:
    with site.reading(), site.reading():
        for number in range(4):
            site.send(mail(f"요청 {number}"))
        assert wait_until(lambda: site.outcomes() == ["issue"] * 4)
    assert site.rows("select count(*) from tb_sr_request") == [(4,)]


def test_stored_mails_are_moved_if_a_folder_is_configured(
    env: BoardEnv, servers: MailServers, tmp_path: Path
) -> None:
    site = Installation(env, servers, tmp_path, mail_done_folder="처리됨")
    site.send(mail())
    site.read(1)
    assert servers.mails(site.address) == []
    assert len(servers.mails(site.address, encode("처리됨").decode())) == 1
