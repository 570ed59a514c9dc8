"""Pages and API of the remote console: who finds them, the form, a run, its file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from board_env import CUSTOMER, ENGINEER, BoardEnv
from page_env import IssueScenario, PageClient, recorded_statements
from sqlalchemy import text

from guardia.board.accounts import tokens
from guardia.board.cmdb import servers
from guardia.board.cmdb.server_list import ServerFilter
from guardia.board.core.actors import Actor
from guardia.board.remote_console import progress, runs, view
from guardia.board.remote_console.policy import RunState, TargetState
from guardia.board.remote_console.progress import ReadResult
from guardia.board.remote_console.runs import RunRequest
from guardia.board.remote_console.targets import RunLimits
from guardia.org.directory import Host, PersonInfo, Service
from guardia.org.model import Server

Browse = Callable[[str], PageClient]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB8Ht8Z3j6yDWPBHQtOp/R9rjWvfMYo3MSA/K6q8D86r"
LIMITS = RunLimits(reads=10, changes=5)


def read(env: BoardEnv, **more: Any) -> int:
    given = {"tool": "host.load", "wanted": ServerFilter(institution="MOF"), **more}
    return runs.start(env.board, ENGINEER, RunRequest(**given), LIMITS)


def program(env: BoardEnv, app: Any, person: PersonInfo, *rights: str) -> PageClient:
    """Return a client that sends an access token."""
    client = PageClient(app, raise_server_exceptions=False)
    secret = tokens.create_token(env.board, person, "시험", list(rights), 7)
    client.headers["authorization"] = f"Bearer {secret}"
    return client


def ended(env: BoardEnv) -> int:
    """Return a run whose first server answered with markup, and whose second one failed."""
    number = read(env)
    work = progress.begin(env.board, number)
    assert work is not None
    for ordinal, server in progress.take(env.board, work, 10):
        if ordinal == 1:
            result = ReadResult(TargetState.OK, 1234, {"cores": 4}, f"<b>{server}</b>\n")
        else:
            result = ReadResult(TargetState.FAILED, 5, {}, "=cmd()", why="=HYPERLINK(1)")
        progress.settle(env.board, work, ordinal, result)
    progress.finish(env.board, work)
    return number


@pytest.mark.slow
def test_outsiders_find_nothing_and_auditors_only_read(
    web_env: BoardEnv, sign_in_as: Browse
) -> None:
    number = ended(web_env)
    customer, auditor = sign_in_as("cus"), sign_in_as("audit")
    for path in ("/remote", "/remote/new"):
        assert customer.get(path).status_code == 403, path
    for path in (f"/remote/{number}", f"/remote/{number}/export",
                 f"/remote/{number}/live", f"/remote/{number}/servers/1",
                 "/api/v3/remote-runs", f"/api/v3/remote-runs/{number}"):  # fmt: skip
        assert customer.get(path).status_code == 404, path
    assert customer.submit_form(f"/remote/{number}/stop", "/").status_code == 404
    assert customer.submit_form("/remote", "/").status_code == 403
    assert customer.get("/events", params={"run": number}).status_code == 404
    html = auditor.get_page(f"/remote/{number}").text
    assert "다시 실행" not in html.split("<main")[1]
    assert auditor.get("/remote/new").status_code == 403
    assert auditor.submit_form(f"/remote/{number}/again", f"/remote/{number}").status_code == 403
    assert auditor.get("/remote/999").status_code == 404
    assert (
        "/remote" in auditor.get_page("/").text and '"/remote"' not in customer.get_page("/").text
    )


@pytest.mark.slow
def test_the_form_counts_servers_and_keeps_what_was_entered(
    web_env: BoardEnv, sign_in_as: Browse
) -> None:
    engineer, form = sign_in_as("eng"), "/remote/new"
    assert "원격 실행 기록이 없습니다" in engineer.get_page("/remote").text
    html = engineer.get_page(f"{form}?institution=MOF&tool=service.health").text
    assert "조건에 맞는 서버 2대" in html and "MOF-DB-01" in html
    assert 'name="arg-service"' in html and 'value="budgetdb"' in html
    assert "service.restart" not in html  # an engineer may not force a change
    assert "service.restart" in sign_in_as("lead").get_page(form).text
    assert "조건에 맞는 서버가 없습니다" in engineer.get_page(f"{form}?text=%25").text
    given = {"institution": "MOF", "tool": "service.health", "arg-service": "Budget DB",
             "reason": "점검 <b>", "expected": "2", "sr": ""}  # fmt: skip
    wrong = engineer.submit_form("/remote", form, **given)
    assert wrong.status_code == 422 and 'id="arg-service-error"' in wrong.text
    assert 'value="Budget DB"' in wrong.text and "점검 &lt;b&gt;" in wrong.text
    given["arg-service"] = "budgetdb"
    for field, value, status in (("sr", "x", 422), ("sr", "SR-99", 404), ("tool", "", 422)):
        refused = engineer.submit_form("/remote", form, **{**given, field: value})
        assert refused.status_code == status and f'id="{field}-error"' in refused.text, field
    assert engineer.submit_form("/remote", form, **{**given, "expected": "7"}).status_code == 409
    done = engineer.submit_form("/remote", form, **given)
    assert done.status_code == 303 and done.headers["location"] == "/remote/1"
    html = engineer.get_page("/remote/1").text
    assert "점검 &lt;b&gt;" in html and "실행 중지" in html and "/events?run=1" in html
    assert engineer.submit_form("/remote/1/stop", "/remote/1", reason="취소").status_code == 303
    assert "실패한 서버만 다시 실행" in engineer.get_page("/remote/1").text


@pytest.mark.slow
def test_a_run_shows_its_servers_escaped_and_exports_no_formula(
    web_env: BoardEnv, sign_in_as: Browse
) -> None:
    number = ended(web_env)
    engineer = sign_in_as("eng")
    html = engineer.get_page(f"/remote/{number}").text
    assert "&lt;b&gt;MOF-DB-01&lt;/b&gt;" in html and "<b>MOF" not in html
    assert "1.2초" in html and "성공" in html and "실패" in html and "1/2" not in html
    only = engineer.get_page(f"/remote/{number}?state=FAILED").text
    assert "target-2" in only and "target-1" not in only
    assert "part-remote_progress" in engineer.get(f"/remote/{number}/live").text
    assert "조회 결과" in engineer.get_page(f"/remote/{number}/servers/1").text
    assert engineer.get(f"/remote/{number}/servers/9").status_code == 404
    table = engineer.get(f"/remote/{number}/export?format=csv")
    assert "attachment" in table.headers["content-disposition"]
    assert ",'=cmd(),'=HYPERLINK(1)" in table.text and "서버" in table.text
    assert "===== MOF-WAS-01 [실패]" in engineer.get(f"/remote/{number}/export?format=txt").text
    fresh = engineer.submit_form(f"/remote/{number}/again", f"/remote/{number}")
    assert fresh.status_code == 303
    page = engineer.get_page(str(fresh.headers["location"])).text
    assert f"{number}번의 실패한 서버" in page and "MOF-WAS-01" in page


@pytest.mark.slow
def test_a_change_is_looked_at_and_confirmed_on_its_page(
    web_env: BoardEnv, sign_in_as: Browse
) -> None:
    service = Service(
        name="minwon", kind="http", port=8080, health="/h", root="/srv/m", control="/srv/m/ctl"
    )
    web = Host(
        server_id="MOF-WEB-11", institution="MOF", kind="WEB", address="192.0.2.1",
        account="ops", credential="key", host_key=KEY, services=(service,), groups=("portal",),
    )  # fmt: skip
    servers.enrol(web_env.board, Actor.operator("test"), web)
    other = IssueScenario(web_env).waiting()
    with web_env.board.database.transaction() as session:
        session.get_one(Server, "MOF-DB-01").groups = ["portal"]
    lead, form = sign_in_as("lead"), "/remote/new"
    args = {"arg-service": "minwon", "arg-level": "DEBUG", "arg-previous": "INFO"}
    given = {"institution": "MOF", "tool": "service.set_log_level", "expected": "3", **args}
    missing = lead.submit_form("/remote", form, **given)
    assert missing.status_code == 422 and 'id="reason-error"' in missing.text
    done = lead.submit_form("/remote", form, **given, reason="점검")
    assert done.status_code == 303
    path = str(done.headers["location"])
    html = lead.get_page(path).text
    assert "변경할 서버 1대를 확인하세요" in html and "원복" in html and "실행 안 함" in html
    assert "겹치는 변경 1" in html and "같은 그룹" in html and f"/issues/{other.sr_id}" in html
    (chosen,) = [one for one in view.every_target(web_env.board, 1) if one.conflicts]
    assert chosen.server == "MOF-WEB-11"
    assert lead.submit_form(f"{path}/confirm", path).status_code == 422  # not ticked
    other = sign_in_as("pm")
    assert other.submit_form(f"{path}/confirm", path, seen="yes").status_code == 409
    assert lead.submit_form(f"{path}/confirm", path, seen="yes").status_code == 303
    run = view.get_run(web_env.board, None, int(path.rpartition("/")[2]))
    assert run.state is RunState.PENDING and run.sr_id is not None
    issue = lead.get_page(f"/issues/{run.sr_id}").text
    assert "MOF-WEB-11" in issue and "점검" in issue
    html = lead.get_page(path).text
    assert "승인 대기" in html and "겹치는 변경" not in html  # its own plan is filed by now


def test_programs_start_read_repeat_and_stop(web_env: BoardEnv, app: Any) -> None:
    engineer = program(
        web_env, app, ENGINEER, "remote.read", "remote.run", "server.read", "home.read"
    )
    customer = program(web_env, app, CUSTOMER, "home.read")
    path = "/api/v3/remote-runs"
    assert engineer.get(path).json() == [] and customer.get(path).status_code == 404
    body = {"tool": "host.load", "filter": {"institution": "MOF"}, "reason": "점검"}
    assert engineer.post(path, json={**body, "expected": 9}).status_code == 409
    assert engineer.post(path, json={**body, "tool": "sh"}).status_code == 422
    assert customer.post(path, json=body).status_code == 404
    found = engineer.post(path, json={**body, "expected": 2})
    assert found.status_code == 201, found.text
    made = found.json()
    number = made["number"]
    assert (made["state"], made["total"], made["counts"]) == ("RUNNING", 2, {"WAITING": 2})
    rows = engineer.get(f"{path}/{number}/servers?state=WAITING").json()
    assert [row["server"] for row in rows] == ["MOF-DB-01", "MOF-WAS-01"]
    assert engineer.get(f"{path}/{number}/servers?after=1").json()[0]["ordinal"] == 2
    assert engineer.post(f"{path}/{number}/again").status_code == 409
    assert engineer.post(f"{path}/{number}/stop", json={}).json()["state"] == "STOPPED"
    assert engineer.post(f"{path}/{number}/again").json()["again_of"] == number
    assert engineer.post(f"{path}/{number}/confirm").status_code == 403


def test_a_page_costs_the_same_for_many_servers(web_env: BoardEnv, sign_in_as: Browse) -> None:
    engineer = sign_in_as("eng")

    def cost(path: str) -> int:
        with recorded_statements(web_env.board) as statements:
            assert engineer.get_page(path).status_code == 200
        return len(statements)

    one = read(web_env, servers=["MOF-DB-01"])
    few = cost(f"/remote/{one}"), cost("/remote")
    read(web_env)
    both = read(web_env)
    assert (cost(f"/remote/{both}"), cost("/remote")) == few


def test_a_run_says_that_no_worker_carries_it_out(web_env: BoardEnv, sign_in_as: Browse) -> None:
    number = read(web_env)
    page = sign_in_as("eng").get_page(f"/remote/{number}").text
    assert "작업 프로세스(guardia worker)가 없어" in page
    with web_env.board.database.transaction() as session:
        session.execute(text("insert into procrastinate_workers (last_heartbeat) values (now())"))
    assert "가 없어" not in sign_in_as("eng").get_page(f"/remote/{number}").text


MANY = """
    insert into tb_server_info
    select (jsonb_populate_record(null::tb_server_info, to_jsonb(s) || jsonb_build_object(
        'server_id', 'MOF-BULK-' || lpad(n::text, 5, '0'), 'groups', jsonb_build_array('bulk'),
        'address', '10.0.' || n / 250 || '.' || n % 250))).*
    from tb_server_info as s, generate_series(1, 10000) as n where server_id = 'MOF-DB-01'
"""


@pytest.mark.slow
def test_ten_thousand_servers_are_counted_not_listed(web_env: BoardEnv, sign_in_as: Browse) -> None:
    engineer = sign_in_as("eng")

    def cost(path: str) -> tuple[int, int]:
        with recorded_statements(web_env.board) as statements:
            answer = engineer.get_page(path)
        assert answer.status_code == 200
        return len(statements), len(answer.content)

    one = f"/remote/{read(web_env)}"
    few = cost("/remote/new?tool=host.load")[0]
    with web_env.board.database.transaction() as session:
        session.execute(text(MANY))
    statements, size = cost("/remote/new?tool=host.load")
    assert statements == few and size < 100_000
    html = engineer.get_page("/remote/new?group=bulk&tool=host.load").text
    assert "조건에 맞는 서버 10,000대" in html and "외 9,980대" in html and "넘습니다" in html
    wanted = ServerFilter(group="bulk")
    asked = RunRequest(tool="host.load", wanted=wanted, expected=10_000)
    number = runs.start(web_env.board, ENGINEER, asked, RunLimits(reads=10_000, changes=5))
    statements, size = cost(f"/remote/{number}")
    assert size < 100_000 and statements == cost(one)[0]
    assert "MOF-BULK-00051" in engineer.get_page(f"/remote/{number}?after=50").text
