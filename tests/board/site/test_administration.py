"""Pages of administration open for those who may, in both languages, and answer the others."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from board_env import BoardEnv
from page_env import PageClient, page_app
from sqlalchemy import select

from guardia.board.audit.model import AuditEntry
from guardia.board.core.model import OutboxEntry
from guardia.board.organization import chart
from guardia.org.model import Agent

Browse = Callable[[str], PageClient]
PATHS = (
    "/admin",
    "/people",
    "/people/new",
    "/people/lead",
    "/rights",
    "/rights/history",
    "/rights/review",
    "/tokens",
    "/teams",
    "/org/edit",
    "/agents/db-agent",
    "/audit",
    "/audit/1",
    "/channels",
    "/workers",
    "/account",
    "/account/password",
)


@pytest.mark.slow
def test_every_page_opens_for_an_administrator_in_both_languages(sign_in_as: Browse) -> None:
    admin = sign_in_as("admin")
    for path in PATHS:
        for language in ("ko", "en"):
            answer = admin.get_page(f"{path}?lang={language}")
            assert answer.status_code == 200, (path, answer.text[-400:])
            assert 'class="field-error"' not in answer.text


@pytest.mark.slow
def test_customers_and_engineers_do_not_administer(sign_in_as: Browse) -> None:
    customer, engineer = sign_in_as("cus"), sign_in_as("eng")
    for path in PATHS[:-2]:
        if path != "/tokens":
            assert customer.get_page(path).status_code == 403, path
    for path in ("/people", "/people/new", "/rights", "/rights/review", "/org/edit", "/channels"):
        assert engineer.get_page(path).status_code == 403, path
    assert 'href="/people"' not in engineer.get_page("/admin").text


@pytest.mark.slow
def test_tokens_of_all_are_listed_and_revoked(sign_in_as: Browse, app: object) -> None:
    engineer, admin = sign_in_as("eng"), sign_in_as("admin")
    made = engineer.submit_form("/tokens", "/tokens", name="점검", rights="issue.read", days="30")
    secret = made.text.split('class="secret">')[1].split("<")[0]
    program = PageClient(app, headers={"authorization": f"Bearer {secret}"})  # type: ignore[arg-type]
    assert program.get("/api/v3/kill-switch").status_code == 403, "not one of its rights"
    assert program.get("/issues").status_code == 200
    listed = admin.get_page("/tokens?person=eng").text
    assert "점검" in listed and secret not in listed
    assert (
        sign_in_as("lead").submit_form("/tokens/revoke", "/tokens", number="1").status_code == 404
    )
    assert admin.submit_form("/tokens/revoke", "/tokens", number="1").status_code == 303
    assert program.get("/issues").status_code == 401


@pytest.mark.slow
def test_the_chart_is_planned_applied_and_rolled_back(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    admin, (seen, text) = sign_in_as("admin"), chart.running_text(web_env.board)
    changed = text.replace("title: ", "title: 새 ", 1)
    assert changed != text
    bad = admin.submit_form("/org/edit", "/org/edit", act="plan", text="agents: [", seen=str(seen))
    assert bad.status_code == 422 and "agents: [" in bad.text, "what was written is not lost"
    fields = {"text": changed, "seen": str(seen)}
    planned = admin.submit_form("/org/edit", "/org/edit", act="plan", **fields)
    assert planned.status_code == 200 and 'value="apply"' in planned.text
    assert chart.running(web_env.board)[0] == seen, "a plan changes nothing"
    done = admin.submit_form("/org/edit", "/org/edit", act="apply", **fields)
    assert done.headers["location"] == f"/org/revisions/{seen + 1}"
    stale = admin.submit_form("/org/edit", "/org/edit", act="apply", **fields)
    assert stale.status_code == 409
    back = {"text": text, "seen": str(seen + 1), "back_to": str(seen)}
    assert admin.submit_form("/org/edit", "/org/edit", act="apply", **back).status_code == 303
    assert chart.running_text(web_env.board)[1].strip() == text.strip()
    named = text + "duties:\n  - {role: security_officer, people: [lead]}\n"
    asked = admin.submit_form("/org/edit", "/org/edit", act="apply", text=named, seen=str(seen + 2))
    assert asked.status_code == 409 and "다른 사람의 승인" in asked.text


@pytest.mark.slow
def test_agents_are_paused_and_resumed_by_those_who_may(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    path, at = "/agents/db-agent/control", "/agents/db-agent"

    def state() -> str:
        with web_env.board.database.reading() as session:
            return session.get_one(Agent, "db-agent").state

    assert sign_in_as("eng").submit_form(path, at, act="pause").status_code == 403
    admin = sign_in_as("admin")
    assert admin.submit_form(path, at, act="pause").status_code == 303 and state() == "paused"
    assert admin.submit_form(path, at, act="wake").status_code == 409
    assert admin.submit_form(path, at, act="resume").status_code == 303 and state() == "active"
    assert admin.submit_form(path, at, act="wake").status_code == 303


@pytest.mark.slow
def test_a_test_message_is_sent_and_recorded(web_env: BoardEnv) -> None:
    app = page_app(web_env.board, messenger_url="http://127.0.0.1:9/hook")
    admin = PageClient(app)
    from page_env import PASSWORD

    admin.submit_form("/login", "/login", account="admin", password=PASSWORD)
    assert "http://127.0.0.1:9" not in admin.get_page("/channels").text, "a secret"
    sent = admin.submit_form("/channels", "/channels", channel="mattermost", room="운영")
    assert sent.status_code == 303
    refused = admin.submit_form("/channels", "/channels", channel="slack", room="x")
    assert refused.status_code == 422
    with web_env.board.database.reading() as session:
        row = session.scalars(select(OutboxEntry)).one()
        kinds = list(session.scalars(select(AuditEntry.kind)))
    assert (row.kind, row.channel, row.room) == ("message", "mattermost", "운영")
    assert kinds.count("channel_tested") == 1


@pytest.mark.slow
def test_teams_are_kept_on_the_page(sign_in_as: Browse) -> None:
    admin = sign_in_as("admin")
    fields = {"team": "dba", "name": "DB팀", "members": "eng, lead", "lead": "lead"}
    assert admin.submit_form("/teams", "/teams", **fields).status_code == 303
    assert "DB팀" in sign_in_as("eng").get_page("/teams").text
    wrong = admin.submit_form("/teams", "/teams", **{**fields, "members": "nobody"})
    assert wrong.status_code == 422 and "nobody" in wrong.text
    assert sign_in_as("eng").submit_form("/teams/remove", "/teams", team="dba").status_code == 403
    assert admin.submit_form("/teams/remove", "/teams", team="dba").status_code == 303
    assert "DB팀" not in admin.get_page("/teams").text
