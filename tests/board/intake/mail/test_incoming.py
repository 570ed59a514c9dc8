"""What becomes of mails: automatic ones, returned ones, hostile ones, and their files."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from board_env import CUSTOMER, ENGINEER, BoardEnv
from mail_installation import Installation, mail
from mail_servers import MailServers

from guardia.board.artifacts import attachments
from guardia.board.artifacts.blob_store import BlobStore
from guardia.board.core import outbox
from guardia.board.core.choices import Choice
from guardia.errors import NotFound, Refused

pytestmark = pytest.mark.slow


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
