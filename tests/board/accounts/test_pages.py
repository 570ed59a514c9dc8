from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from board_env import BoardEnv
from page_env import ADMIN, PageClient
from second_person import allow_waiting

from guardia.board.accounts import messenger_links

Browse = Callable[[str], PageClient]
PATH = "/account"


@pytest.mark.slow
def test_a_person_links_their_messenger_account_with_a_code(
    sign_in_as: Browse, web_env: BoardEnv, anonymous: PageClient
) -> None:
    browser = sign_in_as("cus")
    assert 'href="/account"' in browser.get_page("/issues").text
    shown = browser.submit_form(f"{PATH}/code", PATH)
    code = re.search(r"연결 ([0-9A-Z]{4}-[0-9A-Z]{4})<", shown.text)
    assert shown.status_code == 200 and code
    assert code[1] not in browser.get_page(PATH).text
    post = {"token": "열쇠", "post_id": "1", "user_id": "u1", "text": f"연결 {code[1]}"}
    assert "연결했습니다" in anonymous.post("/intake/mattermost", json=post).json()["text"]
    assert "mattermost:u1" in browser.get_page(PATH).text
    assert "mattermost:u1" not in sign_in_as("lead").get_page(PATH).text


@pytest.mark.slow
def test_an_administrator_links_and_unlinks_for_others(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    browser = sign_in_as("admin")
    fields = {"person": "lead", "channel": "mattermost", "account": "u9"}
    asked = browser.submit_form(f"{PATH}/links", PATH, **fields)
    assert asked.status_code == 409 and "다른 사람의 승인" in asked.text
    allow_waiting(web_env.board)
    assert browser.submit_form(f"{PATH}/links", PATH, **fields).status_code == 303
    assert [
        x.person.id for x in messenger_links.list_links(web_env.board, ADMIN, everybody=True)
    ] == ["lead"]
    taken = browser.submit_form(f"{PATH}/links", PATH, **{**fields, "person": "pm"})
    assert taken.status_code == 422 and "먼저 연결을 해제" in taken.text
    assert (
        browser.submit_form(f"{PATH}/links", PATH, **{**fields, "person": "x"}).status_code == 404
    )
    for path in (f"{PATH}/links", f"{PATH}/links/end"):
        assert sign_in_as("lead").submit_form(path, PATH, **fields).status_code == 403
    assert browser.submit_form(f"{PATH}/links/end", PATH, **fields).status_code == 303
    assert messenger_links.list_links(web_env.board, ADMIN, everybody=True) == []
