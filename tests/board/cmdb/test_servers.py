"""Enrol, change and remove servers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, BoardEnv

from guardia.board.audit import log
from guardia.board.cmdb import servers, view
from guardia.board.core.actors import Actor
from guardia.errors import Forbidden, GuardiaError, Invalid, NotFound, Stale
from guardia.org.directory import Facts, Host, PersonInfo, Service

OPERATOR = Actor.operator("cli")
ADMIN = PersonInfo(id="adm", name="관리자", title="", role="admin")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB8Ht8Z3j6yDWPBHQtOp/R9rjWvfMYo3MSA/K6q8D86r"
WEB = Service(name="nginx", kind="http", unit="nginx.service", port=80, health="/health")


def host(**changed: Any) -> Host:
    given = {
        "server_id": "MOF-WEB-01",
        "institution": "MOF",
        "kind": "WEB",
        "address": "10.1.2.3",
        "account": "guardia",
        "host_key": KEY,
        "credential": "ssh-mof",
        "services": (WEB,),
    }
    return Host.model_validate({**given, **changed})


def last(env: BoardEnv) -> Any:
    with env.board.database.reading() as session:
        assert log.verify_all(session).intact
        return list(log.entries(session))[-1]


def size(env: BoardEnv) -> int:
    with env.board.database.reading() as session:
        return log.head(session).size


def test_an_enrolled_server_is_as_given_and_in_the_log(env: BoardEnv) -> None:
    given = host(facts=Facts(os="debian"), aliases=("  웹서버 ", "웹서버"))
    servers.enrol(env.board, ENGINEER, given)
    found = view.server(env.board, "MOF-WEB-01")
    assert found == given.model_copy(update={"aliases": ("웹서버",)})
    entry = last(env)
    assert (entry.kind, entry.actor) == ("server_enrolled", "person:eng")
    assert entry.detail["what"]["fingerprint"].startswith("SHA256:")


@pytest.mark.parametrize("by", [CUSTOMER, LEAD, Actor.agent("web-agent")])
def test_others_may_not_enrol(env: BoardEnv, by: PersonInfo | Actor) -> None:
    with pytest.raises(Forbidden):
        servers.enrol(env.board, by, host())
    with pytest.raises(NotFound):
        view.server(env.board, "MOF-WEB-01")


@pytest.mark.parametrize(
    "changed",
    [
        {"server_id": "../etc"}, {"server_id": "-rf"}, {"server_id": ""}, {"server_id": "서버"},
        {"server_id": "mof-was-01"}, {"kind": "web"}, {"address": "10.0.0.1; rm"},
        {"address": "-oProxyCommand=x"}, {"address": ""}, {"port": 0}, {"port": 70000},
        {"account": "root -x"}, {"account": ""}, {"credential": "../key"}, {"host_key": ""},
        {"host_key": "ssh-ed25519 AAAA"}, {"institution": "NONE"},
        {"services": (WEB, WEB)}, {"services": (WEB.model_copy(update={"name": "A b"}),)},
        {"services": (WEB.model_copy(update={"control": "bin/x"}),)},
        {"services": (WEB.model_copy(update={"logs": "/var/../etc"}),)},
        {"services": (WEB.model_copy(update={"unit": "nginx;x"}),)},
        {"services": (WEB.model_copy(update={"encoding": "klingon"}),)},
        {"services": (WEB.model_copy(update={"health": "http://x"}),)},
        {"services": (WEB.model_copy(update={"port": 0}),)},
        {"services": (WEB.model_copy(update={"start_seconds": 0}),)},
        {"services": (WEB.model_copy(update={"tls_names": ("a b",)}),)},
        {"aliases": tuple(f"a{n}" for n in range(30))},
    ],
)  # fmt: skip
def test_an_invalid_server_is_refused_as_a_whole(env: BoardEnv, changed: dict[str, Any]) -> None:
    before = size(env)
    with pytest.raises(GuardiaError):
        servers.enrol(env.board, OPERATOR, host(**changed))
    assert size(env) == before


def test_of_two_at_once_one_enrols(env: BoardEnv) -> None:
    def enrol(number: int) -> str:
        try:
            servers.enrol(env.board, OPERATOR, host(server_id=f"MOF-WEB-0{number % 2}"))
        except Invalid as error:
            return str(error)
        return "ok"

    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(enrol, range(4)))
    assert results.count("ok") == 1  # they share one address
    assert all("이미 등록" in text for text in results if text != "ok")


def test_an_edit_keeps_key_and_block_and_says_what_changed(env: BoardEnv) -> None:
    servers.enrol(env.board, OPERATOR, host())
    seen = servers.version_of(view.server(env.board, "MOF-WEB-01"))
    changed = servers.edit(env.board, ADMIN, "MOF-WEB-01", {"port": 2222}, seen=seen)
    assert changed == ("port",)
    assert last(env).detail["what"] == {"port": {"before": 22, "after": 2222}}
    assert servers.edit(env.board, ADMIN, "MOF-WEB-01", {"port": 2222}) == ()
    with pytest.raises(Stale):
        servers.edit(env.board, ADMIN, "MOF-WEB-01", {"port": 23}, seen=seen)
    for name, value in (("host_key", KEY), ("blocked", ""), ("server_id", "X"), ("shoe", 1)):
        with pytest.raises(Invalid):
            servers.edit(env.board, ADMIN, "MOF-WEB-01", {name: value})


def test_a_server_with_open_work_is_not_removed(env: BoardEnv) -> None:
    claim = env.create_parsed_task()
    with pytest.raises(Invalid, match=f"#{claim.sr_id}"):
        servers.remove(env.board, ADMIN, "MOF-DB-01")
    servers.remove(env.board, ADMIN, "MOF-WAS-01")
    assert last(env).kind == "server_removed"
    with pytest.raises(NotFound):
        view.server(env.board, "MOF-WAS-01")
    with pytest.raises(Forbidden):
        servers.remove(env.board, ENGINEER, "MOF-DB-01")
