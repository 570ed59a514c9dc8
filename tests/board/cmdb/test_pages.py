"""Pages of servers and institutions; a worker's readings are carried out by the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from board_env import SERVER, BoardEnv
from openssh_server import OpenSSH
from page_env import PageClient
from sqlalchemy import func, select

from guardia.board.cmdb import host_keys, view
from guardia.board.cmdb.model import ServerReading
from guardia.board.control import kill_switch
from guardia.heartbeat import server_readings
from guardia.org import host_key
from guardia.tools.gate import Gate
from guardia.tools.transport.connections import Connections

Browse = Callable[[str], PageClient]
HOSTILE = '<script>alert(1)</script>"\u202e'
pytestmark = pytest.mark.usefixtures("web_env")


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[OpenSSH]:
    server = OpenSSH(tmp_path / "sshd")
    yield server
    server.stop()


def carry_out(env: BoardEnv, sshd: OpenSSH) -> None:
    """Carry out the newest reading, as a worker does."""
    with env.board.database.reading() as session:
        number = session.scalar(select(func.max(ServerReading.reading_id)))
    assert number is not None
    with Connections(sshd) as connections:
        server_readings.carry_out(env.board, Gate(env.board, connections), number)


def form(sshd: OpenSSH, **changed: str) -> dict[str, str]:
    host: Any = sshd.host()
    return {
        "server_id": "MOF-WEB-07", "institution": "MOF", "address": host.address,
        "port": str(host.port), "account": host.account, "credential": "user", **changed,
    }  # fmt: skip


@pytest.mark.slow
def test_a_server_is_enrolled_step_by_step(
    env: BoardEnv, sshd: OpenSSH, sign_in_as: Browse
) -> None:
    eng = sign_in_as("eng")
    begun = eng.submit_form("/servers/new", "/servers/new", **form(sshd))
    assert begun.status_code == 303, begun.text
    step = begun.headers["location"]
    assert "자동으로 표시" in eng.get_page(step).text
    carry_out(env, sshd)
    shown = eng.get_page(f"{step}/live").text
    key = str(sshd.host().host_key)
    assert host_key.fingerprint(key) in shown
    stale = eng.submit_form(f"{step}/key", step, key=key.replace("A", "B", 1))
    assert stale.status_code in (409, 422)
    asked = eng.submit_form(f"{step}/key", step, key=key)
    step = asked.headers["location"]
    carry_out(env, sshd)
    page = eng.get_page(step).text
    assert "제안된 서비스" in page
    service = {
        "s0-keep": "on", "s0-name": "web", "s0-kind": "http", "s0-port": "8080",
        "s0-health": "/health", "s0-unit": "nginx.service", "s0-encoding": "cp949",
    }  # fmt: skip
    wrong = eng.submit_form(f"{step}/accept", step, **{**service, "s0-port": "x"})
    assert wrong.status_code == 422
    done = eng.submit_form(f"{step}/accept", step, kind="WEB", **service)
    assert done.headers["location"] == "/servers/MOF-WEB-07"
    host = view.server(env.board, "MOF-WEB-07")
    assert (host.kind, host.host_key, host.facts.kernel != "") == ("WEB", key, True)
    assert (host.service("web").port, host.service("web").encoding) == (8080, "cp949")
    page = eng.get_page("/servers/MOF-WEB-07").text
    assert "nginx.service" in page and "서버 등록: MOF-WEB-07" in page


@pytest.mark.slow
def test_a_server_is_checked_edited_and_removed(
    env: BoardEnv, sshd: OpenSSH, sign_in_as: Browse
) -> None:
    from guardia.board.cmdb import servers
    from guardia.board.core.actors import Actor

    servers.enrol(env.board, Actor.operator("cli"), sshd.host(institution="MOF"))
    eng, path = sign_in_as("eng"), "/servers/TEST-01"
    for what in ("check", "probe"):
        assert eng.submit_form(f"{path}/reads", path, what=what).status_code == 303
        assert "hx-trigger" in eng.get_page(path).text
        carry_out(env, sshd)
    page = eng.get_page(path).text
    assert "도구 점검 결과" in page and "조사 결과" in page
    assert view.server(env.board, "TEST-01").facts.kernel
    seen = servers.version_of(view.server(env.board, "TEST-01"))
    fields = {**form(sshd), "kind": "DB", "aliases": f"별칭, {HOSTILE[:30]}", "seen": seen}
    assert eng.submit_form(f"{path}/edit", f"{path}/edit", **fields).status_code == 303
    page = eng.get_page(path).text
    assert "별칭" in page and "<script>alert" not in page
    again = eng.submit_form(f"{path}/edit", f"{path}/edit", **{**fields, "port": "23"})
    assert again.status_code == 409
    assert eng.submit_form(f"{path}/remove", path).status_code == 403
    admin = sign_in_as("admin")
    assert admin.submit_form(f"{path}/remove", path).headers["location"] == "/servers"


@pytest.mark.slow
def test_a_changed_key_is_confirmed_on_the_page(
    env: BoardEnv, sshd: OpenSSH, sign_in_as: Browse
) -> None:
    from guardia.board.cmdb import servers
    from guardia.board.core.actors import Actor

    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB8Ht8Z3j6yDWPBHQtOp/R9rjWvfMYo3MSA/K6q8D86r"
    operator = Actor.operator("cli")
    servers.enrol(env.board, operator, sshd.host(institution="MOF", host_key=other))
    host_keys.report_changed(env.board, "TEST-01")
    eng, path = sign_in_as("eng"), "/servers/TEST-01"
    assert "차단" in eng.get_page(path).text
    eng.submit_form(f"{path}/reads", path, what="key")
    carry_out(env, sshd)
    key = str(sshd.host().host_key)
    assert host_key.fingerprint(key) in eng.get_page(path).text
    assert eng.submit_form(f"{path}/key", path, key=key, reason=" ").status_code == 422
    assert eng.submit_form(f"{path}/key", path, key=key, reason="교체").status_code == 303
    assert view.server(env.board, "TEST-01").blocked == ""


@pytest.mark.slow
def test_what_a_reading_meets_is_its_result(
    env: BoardEnv, sshd: OpenSSH, sign_in_as: Browse
) -> None:
    eng = sign_in_as("eng")
    sshd.stop()
    step = eng.submit_form("/servers/new", "/servers/new", **form(sshd)).headers["location"]
    carry_out(env, sshd)
    assert "호스트 키를 읽지 못했습니다" in eng.get_page(step).text
    from board_env import LEAD

    step = eng.submit_form("/servers/new", "/servers/new", **form(sshd)).headers["location"]
    kill_switch.kill(env.board, LEAD, "점검")
    carry_out(env, sshd)
    assert "전체 정지 상태" in eng.get_page(step).text
    assert eng.submit_form("/servers/new", "/servers/new", **form(sshd)).status_code in (409, 422)


@pytest.mark.slow
def test_lists_are_filtered_and_customers_see_none(env: BoardEnv, sign_in_as: Browse) -> None:
    admin = sign_in_as("admin")
    page = admin.get_page("/servers?kind=DB&text=mof").text
    assert SERVER.server_id in page and "MOF-WAS-01" not in page
    assert "MOF-DB-01" not in admin.get_page("/servers?text=%25").text
    given = {"institution": "KIPO", "name": HOSTILE, "aliases": "교육, 교육부"}
    assert admin.submit_form("/institutions", "/institutions", **given).status_code == 303
    assert "<script>alert" not in admin.get_page("/institutions").text
    assert admin.submit_form("/institutions", "/institutions", **given).status_code == 422
    assert admin.submit_form("/institutions/MOF/remove", "/institutions").status_code == 422
    assert admin.submit_form("/institutions/KIPO/remove", "/institutions").status_code == 303
    for account in ("cus", "audit"):
        client = sign_in_as(account)
        allowed = 200 if account == "audit" else 403
        assert client.get_page("/servers").status_code == allowed
        assert client.get_page("/servers/MOF-DB-01").status_code == allowed
        assert client.get_page("/servers/new").status_code == 403
    assert admin.get_page("/servers/NONE-01").status_code == 404
    assert admin.get_page("/servers/readings/99").status_code == 404
