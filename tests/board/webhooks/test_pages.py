from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from board_env import BoardEnv
from github import Auth, Github
from github_env import token_of
from page_env import PageClient, page_app, serve_app

from guardia.board.webhooks import view
from guardia.org.model import Person


@pytest.fixture
def app(web_env: Any, tmp_path: Path) -> Any:
    return page_app(web_env.board, home=tmp_path / "home")


@pytest.mark.slow
def test_an_administrator_makes_and_changes_a_webhook_on_the_page(
    sign_in_as: Callable[[str], PageClient], web_env: BoardEnv
) -> None:
    admin = sign_in_as("admin")
    form = {"url": "https://hooks.example/x?token=abc", "events": "issues", "content_type": "json"}
    wrong = admin.submit_form("/webhooks", "/webhooks", **{**form, "url": "ftp://x"})
    assert wrong.status_code == 422 and "ftp://x" in wrong.text
    made = admin.submit_form("/webhooks", "/webhooks", **form)
    assert made.status_code == 303
    page = made.headers["location"]
    html = admin.get_page(page).text
    assert "https://hooks.example/x?***" in html and "token=abc" not in html and "ping" in html
    assert admin.submit_form(f"{page}/ping", page).status_code == 303
    shown = {**form, "url": "https://hooks.example/x?***"}
    assert admin.submit_form(f"{page}/edit", page, **shown).status_code == 303
    with web_env.board.database.reading() as session:
        person = session.get_one(Person, "admin").as_info()
    row = view.list_hooks(web_env.board, person)[0]
    assert row.url.endswith("token=abc") and not row.active
    number = view.list_deliveries(web_env.board, person, row.hook_id, _whole()).rows[0].delivery_id
    assert "X-GitHub-Delivery" in admin.get_page(f"{page}?delivery={number}").text
    auditor = sign_in_as("audit")
    assert auditor.get_page(page).status_code == 200 and "/edit" not in auditor.get_page(page).text
    assert sign_in_as("eng").get_page("/webhooks").status_code == 403
    assert admin.submit_form(f"{page}/remove", page).status_code == 303
    assert admin.get_page(page).status_code == 404


def _whole() -> Any:
    from guardia.board.core.keyset import Keyset

    return Keyset(size=50)


@pytest.mark.slow
def test_pygithub_edits_webhooks(app: Any, web_env: BoardEnv) -> None:
    token = token_of(web_env, "admin")
    with serve_app(app) as site:
        repo = Github(
            base_url=f"{site}/api/v3",
            auth=Auth.Token(token),
            retry=None,
            seconds_between_requests=0,
            seconds_between_writes=0,
        ).get_repo("MOF/all")
        config = {"url": "https://hooks.example/x", "content_type": "json", "secret": "s"}
        hook = repo.create_hook("web", config, ["issues", "label"], active=True)
        assert hook.config["url"] == config["url"] and hook.config["secret"] != "s"
        hook.edit("web", config, events=["issues"], active=False)
        assert (repo.get_hook(hook.id).events, repo.get_hook(hook.id).active) == (["issues"], False)
        hook.ping()
        sent = list(repo.get_hook_deliveries(hook.id))
        assert [one.event for one in sent] == ["ping", "ping"]
        path = f"{site}/api/v3/repos/MOF/all/hooks/{hook.id}/deliveries/{sent[0].id}/attempts"
        again = httpx.post(path, headers={"authorization": f"token {token}"})
        assert again.status_code == 202
        assert [one.id for one in repo.get_hooks()] == [hook.id]
        hook.delete()
        assert list(repo.get_hooks()) == []
