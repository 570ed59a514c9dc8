from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from board_env import BoardEnv
from page_env import IssueScenario
from sqlalchemy import select, text
from webhook_receiver import Receiver, receiving

from guardia.board.control import directives
from guardia.board.control.directive_context import DirectiveRequest
from guardia.board.core.actors import Actor
from guardia.board.core.keyset import Keyset
from guardia.board.core.model import OutboxEntry, Task
from guardia.board.issues import comments, labels
from guardia.board.webhooks import deliveries, hooks, policy, view
from guardia.board.webhooks.hooks import HookDraft
from guardia.board.webhooks.model import WebhookDelivery
from guardia.errors import Forbidden, Invalid, NotFound
from guardia.org.credential_store import FileCredentialStore
from guardia.org.directory import PersonInfo
from guardia.org.model import Person

ORIGIN = "https://board.example"


@dataclass
class Hooks:
    """The board's webhooks, a store of their secrets, and a receiver."""

    env: BoardEnv
    keys: FileCredentialStore
    receiver: Receiver
    secret: str = ""

    def person(self, name: str) -> PersonInfo:
        with self.env.board.database.reading() as session:
            return session.get_one(Person, name).as_info()

    def create(self, **more: object) -> int:
        draft = replace(HookDraft(self.receiver.address, ("*",)), **more)  # type: ignore[arg-type]
        number, self.secret = hooks.create(self.env.board, self.keys, self.person("admin"), draft)
        return number

    def deliver(self) -> int:
        """Carry out the deliveries that wait, as the jobs do; return how many."""
        with self.env.board.database.reading() as session:
            waiting = list(
                session.scalars(
                    select(WebhookDelivery.delivery_id)
                    .where(WebhookDelivery.state == "PENDING", WebhookDelivery.next_at.is_(None))
                    .order_by(WebhookDelivery.delivery_id)
                )
            )
        for number in waiting:
            deliveries.attempt(self.env.board, self.keys, ORIGIN, number, local=True)
        return len(waiting)

    def log(self, hook: int) -> list[WebhookDelivery]:
        page = Keyset(size=50)
        return list(view.list_deliveries(self.env.board, self.person("admin"), hook, page).rows)


@pytest.fixture
def given(web_env: BoardEnv, tmp_path: Path) -> Iterator[Hooks]:
    with receiving() as receiver:
        yield Hooks(web_env, FileCredentialStore(tmp_path / "secrets"), receiver)


@pytest.mark.slow
def test_changes_are_sent_signed_in_githubs_format(given: Hooks) -> None:
    given.create()
    board, lead = given.env.board, given.person("lead")
    label = labels.create(board, lead, "area/db", "1d76db")
    number = given.env.create_issue(text="운영DB가 느려요", institution="MOF")
    labels.set_labels(board, lead, number, [label.label_id])
    comments.add_comment(board, number, Actor.of(lead), "확인 중입니다")
    with board.database.reading() as session:
        task = session.scalars(select(Task.task_id).where(Task.sr_id == number)).one()
    directives.issue_directive(board, lead, task, DirectiveRequest("abort", "시험"))
    given.deliver()
    assert given.receiver.events == [
        ("ping", None),
        ("label", "created"),
        ("issues", "opened"),
        ("issues", "labeled"),
        ("issue_comment", "created"),
        ("issues", "closed"),
    ]
    assert all(given.receiver.is_signed(given.secret, n) for n in range(6))
    assert not given.receiver.is_signed("another")
    labeled, commented = given.receiver.payload(3), given.receiver.payload(4)
    assert labeled["label"]["name"] == "area/db"
    assert labeled["issue"]["url"] == f"{ORIGIN}/api/v3/repos/MOF/all/issues/{number}"
    assert labeled["repository"]["full_name"] == "MOF/all"
    assert commented["comment"]["body"] == "확인 중입니다"
    assert [given.receiver.payload(n)["sender"]["login"] for n in (3, 4, 5)] == ["lead"] * 3
    headers = given.receiver.requests[3][0]
    assert headers["content-type"] == "application/json"
    assert len({found["x-github-delivery"] for found, _ in given.receiver.requests}) == 6


def test_a_hook_gets_only_its_events_of_its_institution(given: Hooks) -> None:
    given.create(events=("issues",), institution="MOF")
    number = given.env.create_issue(institution="MOF")
    given.env.create_issue(institution="MOE")
    comments.add_comment(given.env.board, number, Actor.person("lead"), "의견")
    given.deliver()
    assert given.receiver.events == [("ping", None), ("issues", "opened")]
    assert given.receiver.payload()["issue"]["number"] == number


def test_nothing_is_queued_by_a_transaction_that_fails(given: Hooks) -> None:
    hook = given.create()
    with pytest.raises(ZeroDivisionError), given.env.board.database.transaction() as session:
        session.execute(text("update tb_sr_request set title = 'x'"))
        comments.write_comment(
            session, given.env.create_issue(), Actor.person("lead"), "x", given.env.board.clock()
        )
        raise ZeroDivisionError
    assert [one.event for one in given.log(hook)] == ["issues", "ping"]


def test_a_failed_delivery_is_tried_again_and_can_be_repeated(given: Hooks) -> None:
    hook = given.create()
    given.receiver.status, given.receiver.answer = 500, b"token=geheim123 \x1b[31mdown"
    given.deliver()
    failed = given.log(hook)[0]
    assert (failed.state, failed.attempts, failed.status_code) == ("PENDING", 1, 500)
    assert failed.next_at is not None and failed.next_at > failed.created_at
    assert "geheim123" not in failed.response["body"] and "\x1b" not in failed.response["body"]
    assert deliveries.queue_due(given.env.board) == 0, "its pause is not over"
    _let_pauses_end(given)
    assert deliveries.queue_due(given.env.board) == 1
    given.receiver.status = 204
    given.deliver()
    sent = given.log(hook)[0]
    assert (sent.state, sent.attempts) == ("DELIVERED", 2)
    assert given.receiver.requests[0][1] == given.receiver.requests[1][1]
    hooks.redeliver(given.env.board, given.person("admin"), hook, sent.delivery_id)
    given.deliver()
    again = given.log(hook)[0]
    assert (again.redelivery, again.guid, again.state) == (True, sent.guid, "DELIVERED")
    assert given.receiver.requests[2][1] == given.receiver.requests[0][1]


def _let_pauses_end(given: Hooks) -> None:
    with given.env.board.database.transaction() as session:
        past = "update tb_webhook_delivery set next_at = next_at - interval '1 day'"
        session.execute(text(past + " where next_at is not null"))


@pytest.mark.slow
def test_a_receiver_that_never_accepts_is_disabled_with_a_notice(
    given: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "PAUSES", (timedelta(0),))
    hook = given.create()
    given.receiver.status = 503
    for _ in range(policy.MOST_FAILURES):
        given.env.create_issue()
    for _ in range(2):
        given.deliver()
        _let_pauses_end(given)
        deliveries.queue_due(given.env.board)
    row = view.get_hook(given.env.board, given.person("admin"), hook)
    assert not row.active and row.disabled_at is not None
    with given.env.board.database.reading() as session:
        said = session.scalars(select(OutboxEntry.text).where(OutboxEntry.kind == "notice"))
        assert any(f"웹훅 {hook}번" in one for one in said)
    given.env.create_issue()
    assert given.deliver() == 0, "nothing is queued for it any more"


def test_redirects_are_not_followed(given: Hooks) -> None:
    hook = given.create()
    given.receiver.status = 302
    given.receiver.headers = {"Location": given.receiver.address, "Set-Cookie": "a=b"}
    given.deliver()
    assert len(given.receiver.requests) == 1
    assert given.log(hook)[0].status_code == 302
    assert not {"set-cookie", "Set-Cookie"} & set(given.log(hook)[0].response["headers"])


def test_addresses_of_the_host_are_refused_unless_permitted(given: Hooks) -> None:
    hook = given.create()
    waiting = given.log(hook)[0].delivery_id
    deliveries.attempt(given.env.board, given.keys, ORIGIN, waiting, local=False)
    assert not given.receiver.requests and given.log(hook)[0].error == "local"


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("169.254.169.254", True),
        ("fe80::1%eth0", True),
        ("::ffff:169.254.1.1", True),
        ("2002:7f00:1::", True),
        ("0.0.0.0", True),
        ("::", True),
        ("224.0.0.1", True),
        ("10.0.0.5", False),
        ("192.168.0.7", False),
        ("fd00::7", False),
        ("203.0.113.9", False),
    ],
)
def test_what_counts_as_local(address: str, local: bool) -> None:
    assert policy.is_local(address) is local


@pytest.mark.parametrize(
    "url",
    ["", "ftp://host/x", "http://", "https://user:pw@host/", "http://host:0/", "http://h:99999/",
     "javascript:alert(1)", "http://host/a b", "http://ho\\st/"],
)  # fmt: skip
def test_addresses_that_cannot_be_called_are_refused(given: Hooks, url: str) -> None:
    with pytest.raises(Invalid):
        given.create(url=url)


def test_only_administrators_edit_and_secrets_are_in_no_table(given: Hooks) -> None:
    with pytest.raises(Forbidden):
        hooks.create(
            given.env.board, given.keys, given.person("lead"), HookDraft(given.receiver.address)
        )
    given.create(secret="아주-비밀", url=f"{given.receiver.address}?token=abc")
    assert given.keys.names() and policy.shown_url("http://h/x?token=abc") == "http://h/x?***"
    with given.env.board.database.reading() as session:
        log = session.execute(
            text("select log_content || detail::text from tb_audit_log")
        ).scalars()
        assert not [line for line in log if "비밀" in line or "token=abc" in line]
        rows = session.execute(text("select row_to_json(w)::text from tb_webhook w")).scalars()
        assert not [row for row in rows if "비밀" in row]


def test_a_removed_hook_leaves_nothing(given: Hooks) -> None:
    hook = given.create()
    hooks.remove(given.env.board, given.keys, given.person("admin"), hook)
    assert given.keys.names() == []
    with pytest.raises(NotFound):
        view.get_hook(given.env.board, given.person("admin"), hook)


def test_agents_work_is_sent_too(given: Hooks) -> None:
    given.create(events=("issue_comment",))
    IssueScenario(given.env).receive().parse().diagnose()
    given.deliver()
    assert ("issue_comment", "created") in given.receiver.events
    assert given.receiver.payload()["comment"]["user"]["type"] == "Bot"
