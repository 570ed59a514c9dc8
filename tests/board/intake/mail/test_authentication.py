"""Which results of a mail server prove a sender, and which are tricks."""

from __future__ import annotations

import pytest

from guardia.board.intake.mail.authentication import TrustedServer, is_proved
from guardia.board.intake.mail.parsing import parse_mail

OWN = TrustedServer("mx.mof.go.kr", 2)


def proved(*lines: str, address: str = "kim@mof.go.kr", trusted: TrustedServer = OWN) -> bool:
    mail = parse_mail("\r\n".join([*lines, f"From: {address}", "", "x"]).encode())
    return is_proved(mail.address, mail.authentication, trusted)


def results(text: str, name: str = "mx.mof.go.kr") -> str:
    return f"Authentication-Results: {name}; {text}"


@pytest.mark.parametrize(
    "text",
    [
        "dmarc=pass (p=reject dis=none) header.from=mof.go.kr",
        "spf=pass smtp.mailfrom=kim@mof.go.kr",
        "spf=pass smtp.mailfrom=mof.go.kr",
        "dkim=pass header.d=mof.go.kr header.s=a header.b=Zz; spf=fail smtp.mailfrom=x",
        "dkim=fail header.d=x.kr;\r\n dkim=pass header.i=@MOF.go.kr",
        "auth=pass smtp.auth=kim@mof.go.kr",
    ],
)
def test_a_pass_for_the_domain_of_the_sender_proves_it(text: str) -> None:
    assert proved(results(text))
    assert not proved(results(text), trusted=TrustedServer("", 2))
    assert not proved(results(text, "mx.evil.kr"))
    assert not proved(results(text), address="kim@moef.go.kr")


def test_the_owner_of_a_domain_decides_about_those_below_it_but_a_registry_does_not() -> None:
    assert proved(results("dkim=pass header.d=mof.go.kr"), address="a@mail.mof.go.kr")
    assert not proved(results("dkim=pass header.d=mail.mof.go.kr"))
    assert not proved(results("dkim=pass header.d=go.kr"))
    assert not proved(results("dkim=pass header.d=kr"))
    assert not proved(results("dkim=pass header.d=of.go.kr"))


@pytest.mark.parametrize(
    "text",
    [
        "none",
        "spf=fail smtp.mailfrom=kim@mof.go.kr",
        "spf=pass smtp.mailfrom=kim@evil.kr",
        "spf=pass (dmarc=pass header.from=mof.go.kr) smtp.mailfrom=x@evil.kr",
        "spf=fail (a ; dmarc=pass header.from=mof.go.kr",
        'spf=fail smtp.mailfrom="x;dmarc=pass header.from=mof.go.kr;"@evil.kr',
        'spf=fail reason="; dmarc=pass header.from=mof.go.kr" smtp.mailfrom=x@evil.kr',
        "spf=pass smtp.mailfrom=x@evil.kr smtp.mailfrom=kim@mof.go.kr",
        "xdmarc=pass header.from=mof.go.kr",
        "dmarc=passed header.from=mof.go.kr",
    ],
)
def test_what_a_sender_can_put_into_results_proves_nothing(text: str) -> None:
    assert not proved(results(text))


def test_only_the_newest_results_above_our_own_servers_count() -> None:
    good, bad = results("dmarc=pass header.from=mof.go.kr"), results("dmarc=fail header.from=x")
    assert proved("Received: by store", good, "Received: by mx")
    assert not proved("Received: by store", "Received: by mx", good)
    assert not proved(bad, "Received: by store", good)
    assert proved("Received: by store", "Received: by mx", good, trusted=TrustedServer(OWN.name, 3))


@pytest.mark.parametrize("sender", ["a@mof.go.kr, kim@mof.go.kr", "", "kim", "a@b@c.kr", "<>"])
def test_a_mail_without_exactly_one_sender_has_none(sender: str) -> None:
    assert parse_mail(f"From: {sender}\r\n\r\nx".encode()).address == ""
    assert not proved(results("dmarc=pass header.from=mof.go.kr"), address=sender)
