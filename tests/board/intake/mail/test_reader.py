"""Mails through a real SMTP server and Dovecot to the board, and its replies back."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage, Message
from pathlib import Path
from typing import Any

import psycopg
import pytest
from board_env import CUSTOMER, ENGINEER, BoardEnv
from imapclient.imap_utf7 import encode
from mail_servers import FORGED, MailServers
from waiting import wait_until

from guardia.board.accounts import messenger_links
from guardia.board.artifacts import attachments
from guardia.board.artifacts.blob_store import BlobStore
from guardia.board.core import outbox
from guardia.board.core.actors import Actor
from guardia.board.core.choices import Choice
from guardia.board.intake.mail.reader import MailReader
from guardia.errors import NotFound, Refused
from guardia.heartbeat.deliver import deliver
from guardia.settings import Settings

SUPPORT = Path(__file__).resolve().parents[3] / "support"
_numbers = itertools.count(1)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def servers() -> Iterator[MailServers]:
    with MailServers() as found:
        yield found


class Installation:
    """The mailbox of one test, and what the board makes of its mails."""

    def __init__(self, env: BoardEnv, servers: MailServers, home: Path, **more: Any) -> None:
        self.env, self.servers = env, servers
        self.address = f"guardia{next(_numbers)}@mof.test"
        self.settings: Settings = servers.settings(home, self.address, **more)

    def send(self, mail: EmailMessage | bytes, sender: str | None = None) -> None:
        """Send a mail to the mailbox."""
        self.servers.send(mail, self.address, sender)

    def read(self, count: int) -> None:
        """Let a reader run until so many mails are recorded in all."""
        with self.reading():
            self.wait_for(count)
            assert wait_until(lambda: self.servers.unread(self.address) == 0)

    def wait_for(self, count: int) -> None:
        """Wait until so many mails are recorded in all."""
        assert wait_until(lambda: len(self.outcomes()) == count)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Run a reader for as long as the block."""
        closing = threading.Event()
        reader = MailReader(self.env.board, self.settings, closing)
        thread = threading.Thread(target=reader.run)
        thread.start()
        try:
            yield
        finally:
            closing.set()
            thread.join()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.env.dsn) as connection:
            return connection.execute(query).fetchall()  # type: ignore[arg-type]

    def outcomes(self) -> list[str]:
        return [one for (one,) in self.rows("select outcome from tb_mail order by mail_id")]

    def deliver_all(self) -> None:
        """Send every waiting message of the outbox."""
        query = "select outbox_id from tb_outbox where delivered_at is null order by 1"
        for (number,) in self.rows(query):
            deliver(self.env.board, self.settings, number)

    def link(self, person: str, address: str) -> None:
        messenger_links.link(self.env.board, Actor.operator("test"), person, "mail", address)

    def comments(self) -> list[tuple[str, str]]:
        return self.rows("select author, body from tb_comment order by comment_id")  # type: ignore[return-value]


@pytest.fixture
def site(env: BoardEnv, servers: MailServers, tmp_path: Path) -> Installation:
    return Installation(env, servers, tmp_path)


def mail(
    subject: str = "운영DB 느림",
    text: str = "기재부 운영DB 쿼리가 너무 느려요",
    sender: str = "장하늘 <jang@mof.test>",
    **fields: str,
) -> EmailMessage:
    """Return a mail of a person."""
    found = EmailMessage()
    found["From"], found["To"], found["Subject"] = sender, "guardia@mof.test", subject
    found["Message-ID"] = f"<{next(_numbers)}.person@mof.test>"
    for name, value in fields.items():
        found[name.replace("_", "-")] = value
    found.set_content(text)
    return found


def reply_to(ours: Message, text: str = "2호기입니다", **more: str) -> EmailMessage:
    """Return a person's reply to one of our mails."""
    answer = mail(f"Re: {ours['Subject']}", text, **more)
    answer["In-Reply-To"] = ours["Message-ID"]
    return answer


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
    site.servers.stop()
    site.servers.forget_uids(site.address)
    site.servers.start()
    site.send(mail("새 번호"))
    site.read(3)
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


def test_only_a_proved_and_linked_address_is_a_person(site: Installation) -> None:
    site.link(CUSTOMER.id, "jang@mof.test")
    site.send(mail())
    site.send(mail(**{FORGED: "1"}))
    own = "Authentication-Results: mx.mof.test; dmarc=pass header.from=mof.test"
    forged = mail(sender="jang@mof.test").as_bytes()
    site.send(own.encode() + b"\r\n" + forged, sender="evil@outside.test")
    site.read(3)
    found = site.rows(
        "select requester_id, requester_account, requester_name from tb_sr_request order by sr_id"
    )
    assert found[0] == (CUSTOMER.id, "mail:jang@mof.test", "장하늘 <jang@mof.test>")
    assert [(one[0], one[1]) for one in found[1:]] == [(None, None)] * 2
    assert all("확인되지 않은 발신자" in one[2] for one in found[1:])


@pytest.mark.parametrize("text", ["전체 정지", "가디아 멈춰", "SR-1 승인"])
def test_a_forged_sender_neither_stops_nor_decides(site: Installation, text: str) -> None:
    site.link(ENGINEER.id, "kim@mof.test")
    site.send(mail(text, text, sender="kim@mof.test", **{FORGED: "1"}))
    site.read(1)
    assert site.rows("select count(*) from tb_kill") == [(0,)]
    assert site.outcomes() == ["issue"]


def test_a_known_engineer_may_stop_by_mail(site: Installation) -> None:
    site.link(ENGINEER.id, "kim@mof.test")
    site.send(mail("긴급", "전체 정지", sender="kim@mof.test"))
    site.read(1)
    assert site.rows("select count(*) from tb_kill") == [(1,)]
    assert site.outcomes() == ["answered"]
    site.deliver_all()
    assert "정지" in site.servers.mails("kim@mof.test")[-1].get_payload(decode=True).decode()


def test_a_subject_or_a_guessed_id_adds_nothing_to_a_foreign_issue(site: Installation) -> None:
    site.send(mail(sender="first@mof.test"))
    site.read(1)
    site.deliver_all()
    (ours,) = site.servers.mails("first@mof.test")
    named = mail("Re: [SR-1] 운영DB 느림", "끼어들기", sender="other@mof.test")
    guessed = mail("Re: [SR-1]", "끼어들기", sender="other@mof.test")
    guessed["In-Reply-To"] = "<sr1.1.aaaaaaaaaaaaaaaaaaaaaaaa@mof.test>"
    # One who got hold of a mail of ours, but is not its recipient.
    overheard = reply_to(ours, "끼어들기", sender="other@mof.test")
    forged = mail("Re: [SR-1] x", "끼어들기", sender="first@mof.test", **{FORGED: "1"})
    for one in (named, guessed, overheard, forged):
        site.send(one)
    site.read(5)
    assert site.comments() == []
    assert site.outcomes() == ["issue"] * 5


def test_staff_add_to_what_they_may_see_and_customers_do_not(site: Installation) -> None:
    site.link(ENGINEER.id, "kim@mof.test")
    site.link(CUSTOMER.id, "jang@mof.test")
    site.send(mail(sender="first@ops.test"))
    site.read(1)
    site.deliver_all()
    (ours,) = site.servers.mails("first@ops.test")
    site.send(reply_to(ours, "확인했습니다", sender="kim@mof.test"))
    site.send(reply_to(ours, "저도요", sender="jang@mof.test"))
    site.read(3)
    assert site.comments() == [(f"person:{ENGINEER.id}", "확인했습니다")]
    assert site.outcomes() == ["issue", "comment", "issue"]


AUTOMATIC: list[tuple[dict[str, str], str]] = [
    ({"Auto_Submitted": "auto-replied"}, "automatic"),
    ({"Auto_Submitted": "auto-generated"}, "automatic"),
    ({"X_Autoreply": "yes"}, "automatic"),
    ({"Precedence": "auto_reply"}, "automatic"),
    ({"Precedence": "bulk"}, "list"),
    ({"List_Id": "<ops.mof.test>"}, "list"),
    ({"List_Unsubscribe": "<mailto:x@y.test>"}, "list"),
    ({"X_GUARDiA": "1"}, "own"),
    ({"subject": "자동 회신: 요청"}, "automatic"),
    ({"subject": "[부재중 자동응답] 휴가입니다"}, "automatic"),
    ({"subject": "부재 중 알림: 11/30~12/2"}, "automatic"),
    ({"subject": "Automatic reply: x"}, "automatic"),
    ({"subject": "읽음: [SR-1] 요청"}, "automatic"),
    ({"sender": "noreply@mof.test"}, "automatic"),
    ({"sender": "MAILER-DAEMON@mof.test"}, "automatic"),
]


def test_nothing_automatic_opens_an_issue_or_is_answered(site: Installation) -> None:
    for fields, _ in AUTOMATIC:
        site.send(mail(**fields))
    site.send(mail(), sender="")
    site.send(mail(sender=site.address))
    site.read(len(AUTOMATIC) + 2)
    assert site.outcomes() == [outcome for _, outcome in AUTOMATIC] + ["automatic", "own"]
    assert site.rows("select count(*) from tb_sr_request") == [(0,)]
    assert site.rows("select count(*) from tb_outbox") == [(0,)]


@pytest.mark.parametrize(
    "subject",
    [
        "부재중 자동응답 설정 방법 문의",
        "휴가 중 계정 잠금 해제 요청",
        "수신확인이 안 됩니다",
        "읽음 확인 오류",
        "반송 메일 문의",
    ],
)
def test_people_may_write_about_automatic_mails(site: Installation, subject: str) -> None:
    site.send(mail(subject))
    site.read(1)
    assert site.outcomes() == ["issue"]


def test_a_bounce_marks_the_reply_as_undelivered_on_the_issue(site: Installation) -> None:
    site.servers.undelivered.add("full@mof.test")
    site.send(mail(sender="full@mof.test"))
    site.read(1)
    site.deliver_all()
    site.read(2)
    assert site.outcomes() == ["issue", "bounced"]
    assert site.rows("select last_error from tb_outbox") == [("bounced 5.2.2",)]
    ((author, body),) = site.comments()
    assert author == "channel:mail" and "full@mof.test" in body and "5.2.2" in body


def test_a_recipient_that_the_server_refuses_is_not_tried_again(site: Installation) -> None:
    site.servers.refused.add("gone@mof.test")
    site.send(mail(sender="gone@mof.test"))
    site.read(1)
    site.deliver_all()  # would raise for a retry
    assert site.rows("select last_error from tb_outbox") == [("recipient refused: 550",)]


def test_a_sender_may_not_flood_the_board(
    env: BoardEnv, servers: MailServers, tmp_path: Path
) -> None:
    site = Installation(env, servers, tmp_path, requests_per_sender=3)
    for number in range(6):
        site.send(mail(f"요청 {number}"))
    site.read(6)
    assert site.outcomes().count("limited") >= 2
    assert site.rows("select count(*) from tb_sr_request")[0][0] <= 4


def test_domains_that_may_not_write_open_nothing(
    env: BoardEnv, servers: MailServers, tmp_path: Path
) -> None:
    site = Installation(env, servers, tmp_path, mail_domains="mof.test")
    site.send(mail(sender="a@outside.test"))
    site.send(mail(sender="a@xmof.test"))
    site.send(mail(sender="a@sub.mof.test"))
    two = mail().as_bytes().replace(b"From:", b"From: x@mof.test\r\nFrom:", 1)
    site.send(two, sender="x@mof.test")
    site.read(4)
    assert site.outcomes() == ["refused", "refused", "issue", "refused"]


def test_files_are_kept_for_those_who_see_the_issue(site: Installation) -> None:
    one = mail()
    one.add_attachment(
        "오류\n주민 900101-1234568\n".encode("cp949"), "text", "plain", filename="로그.txt"
    )
    one.add_attachment(b"PK\x03\x04" + b"0" * 100, "application", "zip", filename="bomb.zip")
    one.add_attachment(b"\x00\x01 900101-1234568 \x00", "application", "pdf", filename="p.pdf")
    site.send(one)
    site.read(1)
    store = BlobStore.of(site.settings)
    with site.env.board.database.reading() as session:
        found = attachments.list_attachments(session, 1)
    assert [(f.file_name, f.is_kept, f.is_masked) for f in found] == [
        ("로그.txt", True, True),
        ("bomb.zip", True, False),
        ("p.pdf", False, False),
    ]
    name, content = attachments.find_file(
        site.env.board, store, ENGINEER, 1, found[0].attachment_id
    )
    text = content.read_text()
    assert name == "로그.txt" and "오류" in text and "1234568" not in text
    with pytest.raises(Refused):
        attachments.find_file(site.env.board, store, ENGINEER, 1, found[2].attachment_id)
    with pytest.raises(NotFound):
        attachments.find_file(site.env.board, store, CUSTOMER, 1, found[0].attachment_id)


def test_a_resident_number_is_stored_nowhere(site: Installation) -> None:
    number = "900101-1234568"
    one = mail(
        f"계정 {number}", f"주민번호는 {number} 입니다", sender=f"장 {number} <jang@mof.test>"
    )
    site.send(one)
    site.send(
        mail("Re: 계정", f"{number}\n\n-----Original Message-----\n{number}", References="<x@y>")
    )
    site.read(2)
    with psycopg.connect(site.env.dsn) as connection:
        tables = connection.execute(
            "select tablename from pg_tables where schemaname = 'public'"
        ).fetchall()
        for (table,) in tables:
            rows = connection.execute(f"select t::text from {table} t").fetchall()  # type: ignore[call-overload]
            assert not any("1234568" in row for (row,) in rows), table
    for path in site.settings.home.rglob("*"):
        assert not path.is_file() or b"1234568" not in path.read_bytes(), path


def test_a_giant_mail_and_a_thousand_files_are_bounded(
    env: BoardEnv, servers: MailServers, tmp_path: Path
) -> None:
    site = Installation(env, servers, tmp_path, mail_megabytes=1)
    giant = mail("큰 메일", "첨부를 봐 주세요")
    giant.add_attachment(b"x" * 3_000_000, "application", "octet-stream", filename="dump.bin")
    site.send(giant)
    many = mail("많은 첨부", "첨부를 봐 주세요")
    for number in range(1000):
        many.add_attachment(b"x", "application", "octet-stream", filename=f"{number}.bin")
    site.send(many)
    site.read(2)
    assert site.rows("select title, body from tb_sr_request order by sr_id") == [
        ("큰 메일", "첨부를 봐 주세요"),
        ("많은 첨부", "첨부를 봐 주세요"),
    ]
    kept = site.rows(
        "select sr_id, kept is not null, reason, count(*) from tb_attachment"
        " group by 1, 2, 3 order by 1, 2"
    )
    assert kept == [(1, False, "incomplete", 1), (2, False, "too_many", 30), (2, True, "", 20)]


def test_hostile_fields_are_data(site: Installation) -> None:
    raw = (
        b"From: =?utf-8?Q?a=0D=0ABcc=3A_x=40y=2Etest?= <jang@mof.test>\r\n"
        b"Subject: =?utf-8?Q?x=0D=0ABcc=3A_victim=40y=2Etest=00_=E2=80=AE?=\r\n"
        b"Message-ID: <h1@x>\r\n evil\r\n\r\n<script>alert(1)</script> @dispatcher \x00 end\r\n"
    )
    site.send(raw, sender="jang@mof.test")
    site.read(1)
    site.deliver_all()
    (ours,) = site.servers.mails("jang@mof.test")[-1:]
    assert ours["Bcc"] is None and ours["Subject"] == "[SR-1] x Bcc: victim@y.test"
    assert site.servers.mails("victim@y.test") == []
    ((title, body),) = site.rows("select title, body from tb_sr_request")
    assert "\n" not in title and "\x00" not in body and "\u202e" not in title


def test_choices_are_links_to_the_page(site: Installation) -> None:
    site.send(mail())
    site.read(1)
    choices = (
        Choice("server", "a", "기재부 와스 1호기\r\nBcc: x@y"),
        Choice("server", "b", "2호기"),
    )
    with site.env.board.database.transaction() as session:
        now = site.env.board.clock()
        room = {"room": "jang@mof.test", "sr_id": 1, "choices": choices}
        outbox.send(session, "message", "어느 서버인가요?", now, **room)  # type: ignore[arg-type]
    site.deliver_all()
    text = site.servers.mails("jang@mof.test")[-1].get_payload(decode=True).decode()
    assert "1. 기재부 와스 1호기 Bcc: x@y" in text and "2. 2호기" in text
    assert "https://board.test/issues/1" in text and text.count("https://") == 1
