from __future__ import annotations

import re
from collections.abc import Callable

from board_env import BoardEnv
from page_env import ADMIN, PageClient

from guardia.board.accounts import messenger_links

Browse = Callable[[str], PageClient]
PATH = "/account"


def test_a_person_links_their_messenger_account_with_a_code(
    browse: Browse, board: BoardEnv, anyone: PageClient
) -> None:
    browser = browse("cus")
    assert 'href="/account"' in browser.see("/issues").text
    shown = browser.fill(f"{PATH}/code", PATH)
    code = re.search(r"연결 ([0-9A-Z]{4}-[0-9A-Z]{4})<", shown.text)
    assert shown.status_code == 200 and code
    assert code[1] not in browser.see(PATH).text
    post = {"token": "열쇠", "post_id": "1", "user_id": "u1", "text": f"연결 {code[1]}"}
    assert "연결했습니다" in anyone.post("/intake/mattermost", json=post).json()["text"]
    assert "mattermost:u1" in browser.see(PATH).text
    assert "mattermost:u1" not in browse("lead").see(PATH).text


def test_an_administrator_links_and_unlinks_for_others(browse: Browse, board: BoardEnv) -> None:
    browser = browse("admin")
    fields = {"person": "lead", "channel": "mattermost", "account": "u9"}
    assert browser.fill(f"{PATH}/links", PATH, **fields).status_code == 303
    assert [x.person.id for x in messenger_links.list_links(board.desk, ADMIN, everybody=True)] == [
        "lead"
    ]
    taken = browser.fill(f"{PATH}/links", PATH, **{**fields, "person": "pm"})
    assert taken.status_code == 422 and "먼저 연결을 해제" in taken.text
    assert browser.fill(f"{PATH}/links", PATH, **{**fields, "person": "x"}).status_code == 404
    for path in (f"{PATH}/links", f"{PATH}/links/end"):
        assert browse("lead").fill(path, PATH, **fields).status_code == 403
    assert browser.fill(f"{PATH}/links/end", PATH, **fields).status_code == 303
    assert messenger_links.list_links(board.desk, ADMIN, everybody=True) == []
