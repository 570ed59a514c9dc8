"""A question goes out as a mail, and the reply to it continues the request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from agents_env import open_agents_env
from assignment_env import enrol_servers, question, task
from board_env import CUSTOMER
from mail_installation import Installation, mail, reply_to
from mail_servers import FORGED, MailServers


@pytest.mark.slow
def test_the_reply_to_a_question_continues_the_request(
    database: Any, servers: MailServers, tmp_path: Path
) -> None:
    with open_agents_env(database.owner, database.app, tmp_path) as found:
        enrol_servers(found.env)
        site = Installation(found.env, servers, tmp_path)
        site.link(CUSTOMER.id, "Jang@MOF.test")
        site.send(mail("와스 장애", "기재부 와스 접속이 안됩니다. 장애입니다"))
        site.read(1)
        found.work()
        site.deliver_all()
        asked = site.servers.mails("jang@mof.test")[-1]
        text = asked.get_payload(decode=True).decode()
        assert "어느 WAS 서버인지" in text and "2. 기재부 와스 2호기" in text
        site.send(reply_to(asked, "1호기요", **{FORGED: "1"}))
        site.read(2)
        assert question(found.env, 1).state == "OPEN"  # type: ignore[union-attr]
        site.send(reply_to(asked, "2호기요\n\n> 어느 WAS 서버인지 확인이 필요합니다."))
        site.read(3)
        found.work()
        assert task(found.env, 1).target_server == "MOF-WAS-02"
        assert site.outcomes() == ["issue", "comment", "answered"]
