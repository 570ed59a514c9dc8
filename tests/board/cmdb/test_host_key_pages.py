"""The page that confirms many host keys at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from board_env import BoardEnv
from cmdb_env import keys
from page_env import PageClient
from sqlalchemy import select, update

from guardia.board.audit.model import AuditEntry
from guardia.board.cmdb import entries, offered_keys, view
from guardia.errors import Stale
from guardia.org.host_key import fingerprint
from guardia.org.model import Server

Browse = Callable[[str], PageClient]
PATH = "/host-keys"


@pytest.fixture
def offers(web_env: BoardEnv) -> dict[str, str]:
    """Return the keys that three servers have offered."""
    found = dict(zip(("MOF-DB-01", "MOF-WAS-01", "MOE-DB-01"), keys(3), strict=True))
    with web_env.board.database.transaction() as session:
        for n, server in enumerate(found):
            where = update(Server).where(Server.server_id == server)
            session.execute(where.values(address=f"10.0.0.{n}"))
    offered_keys.record_offered(web_env.board, found)
    return found


def ticks(html: str) -> set[str]:
    """Return the servers whose key is ticked."""
    boxes = re.findall(r'name="ticked" value="(\S+) [^"]+"[^>]* checked', html)
    return set(boxes)


@pytest.mark.slow
def test_an_administrator_compares_and_confirms(
    web_env: BoardEnv, sign_in_as: Browse, offers: dict[str, str]
) -> None:
    browser = sign_in_as("admin")
    html = browser.get_page(PATH).text
    assert all(fingerprint(key) in html for key in offers.values()) and ticks(html) == set()
    listed = f"10.0.0.0 {offers['MOF-DB-01']}\nMOF-WAS-01 {fingerprint(offers['MOE-DB-01'])}\n"
    html = browser.submit_form(f"{PATH}/compare", PATH, known=listed).text
    assert ticks(html) == {"MOF-DB-01"}
    assert "불일치" in html and "1건 있습니다" in html
    assert html.index("MOF-WAS-01") < html.index("MOF-DB-01"), "what differs comes first"
    good = [f"{s} {fingerprint(offers[s])}" for s in ("MOF-DB-01", "MOE-DB-01")]
    missing = browser.submit_form(PATH, PATH, ticked=good)
    assert missing.status_code == 422 and "확인 근거" in missing.text
    assert ticks(missing.text) == {"MOF-DB-01", "MOE-DB-01"}, "the ticks stay"
    done = browser.submit_form(PATH, PATH, ticked=good, reason="서버 콘솔에서 대조")
    assert done.status_code == 303
    assert view.server(web_env.board, "MOE-DB-01").host_key == offers["MOE-DB-01"]
    assert view.server(web_env.board, "MOF-WAS-01").host_key == ""
    (change, _) = entries.changes_of(web_env.board, 1)
    assert change.verb == "changed" and [f for f, *_ in change.fields()] == ["host_key"]
    with web_env.board.database.reading() as session:
        query = select(AuditEntry).where(AuditEntry.kind == "host_keys_confirmed")
        (entry,) = session.scalars(query)
    assert entry.detail["reason"] == "서버 콘솔에서 대조" and entry.detail["count"] == 2


def test_a_key_that_changed_since_is_not_confirmed(
    web_env: BoardEnv, sign_in_as: Browse, offers: dict[str, str]
) -> None:
    browser = sign_in_as("officer")
    seen = {"MOF-DB-01": fingerprint(offers["MOF-DB-01"])}
    offered_keys.record_offered(web_env.board, {"MOF-DB-01": offers["MOE-DB-01"]})
    ticked = [f"{s} {p}" for s, p in seen.items()]
    late = browser.submit_form(PATH, PATH, ticked=ticked, reason="대조")
    assert late.status_code == 409
    assert view.server(web_env.board, "MOF-DB-01").host_key == ""


def test_an_address_that_changed_since_is_not_confirmed(
    web_env: BoardEnv, offers: dict[str, str]
) -> None:
    from page_env import ADMIN

    with web_env.board.database.transaction() as session:
        session.execute(
            update(Server).where(Server.server_id == "MOF-DB-01").values(address="10.9.9.9")
        )
    seen = {"MOF-DB-01": fingerprint(offers["MOF-DB-01"])}
    with pytest.raises(Stale):
        offered_keys.confirm(web_env.board, ADMIN, seen, "대조")


def test_others_may_look_and_not_confirm(sign_in_as: Browse, offers: dict[str, str]) -> None:
    manager = sign_in_as("pm")
    html = manager.get_page(PATH).text
    assert "선택한 키 확인" not in html
    ticked = [f"MOF-DB-01 {fingerprint(offers['MOF-DB-01'])}"]
    assert manager.submit_form(PATH, PATH, ticked=ticked, reason="x").status_code == 403
    assert sign_in_as("cus").get_page(PATH).status_code == 403


@pytest.mark.parametrize("form", ["print", "named", "keygen", "known_hosts", "alone"])
def test_lists_in_several_forms(
    web_env: BoardEnv, offers: dict[str, str], form: str, tmp_path: Path
) -> None:
    key = offers["MOF-DB-01"]
    text = {
        "print": f"MOF-DB-01 {fingerprint(key)}",
        "named": f"10.0.0.0,{fingerprint(key)}",
        "keygen": f"256 {fingerprint(key)} 10.0.0.0 (ED25519)",
        "known_hosts": f"10.0.0.0 {key}",
        "alone": fingerprint(key),
    }[form]
    found = {k.server_id: k.match for k in offered_keys.offered(web_env.board, text)}
    assert found == {"MOF-DB-01": "same", "MOF-WAS-01": "", "MOE-DB-01": ""}
