"""Who may do what by mail, and what forged senders cannot do."""

from __future__ import annotations

from pathlib import Path

import pytest
from board_env import CUSTOMER, ENGINEER, BoardEnv
from mail_installation import Installation, mail, reply_to
from mail_servers import FORGED, MailServers

from guardia.board.accounts import messenger_links

pytestmark = pytest.mark.slow


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
    # Someone who has obtained a mail of ours without being its recipient.
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


def test_a_sender_may_not_flood_the_board(
    env: BoardEnv, servers: MailServers, tmp_path: Path
) -> None:
    site = Installation(env, servers, tmp_path, requests_per_sender=3)
    for number in range(6):
        site.send(mail(f"요청 {number}"))
    site.read(6)
    assert site.outcomes().count("limited") >= 2
    replies = site.rows(
        "select text from tb_outbox where text like '%한도%' or text like '%너무 많아%'"
    )
    assert len(replies) == 1
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


def test_small_talk_opens_nothing_and_a_greeting_is_answered(site: Installation) -> None:
    site.send(mail("안녕하세요", "안녕하세요"))
    site.send(mail("감사", "감사합니다", sender="lee@mof.test"))
    site.read(2)
    assert site.outcomes() == ["answered"] * 2
    site.deliver_all()
    (ours,) = site.servers.mails("jang@mof.test")[-1:]
    assert ours["Subject"] and site.rows("select count(*) from tb_sr_request") == [(0,)]


def test_a_code_links_the_address_from_which_it_comes_if_that_is_proved(
    site: Installation,
) -> None:
    code = messenger_links.create_code(site.env.board, CUSTOMER)
    site.send(mail("연결", f"연결 {code}", **{FORGED: "1"}))
    site.read(1)
    assert site.rows("select count(*) from tb_channel_account") == [(0,)]
    site.send(mail("연결", f"연결 {code}"))
    site.read(2)
    linked = site.rows("select channel, account, person_id from tb_channel_account")
    assert linked == [("mail", "jang@mof.test", CUSTOMER.id)]
