"""Pages and commands of rollouts: shown, reordered, filed, stopped; by those who may."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from board_env import ENGINEER, SERVER
from command_line import command_env, invoke, output
from deploy_env import archive
from page_env import PageClient, main_part, page_app
from rollout_env import drafted, server_plan

from guardia.board.rollouts import drafts, view
from guardia.board.rollouts.policy import Options
from guardia.errors import Invalid, Refused

Browse = Callable[[str], PageClient]


@pytest.fixture
def app(web_env: Any, tmp_path: Path) -> Any:
    return page_app(web_env.board, home=tmp_path)


@pytest.mark.slow
def test_a_draft_is_reordered_filed_and_cancelled_on_the_page(
    env: Any, tmp_path: Path, sign_in_as: Browse
) -> None:
    engineer = sign_in_as("eng")
    assert "배포가 없습니다" in engineer.get_page("/rollouts").text
    number = drafted(env, tmp_path)
    path = f"/rollouts/{number}"
    html = engineer.get_page(path).text
    for part in (
        "app 2.0",
        "WEB → WAS → DB",
        "비교 대상: app 1.0",
        "+port=2",
        "-port=1",
        "작성 중",
    ):
        assert part in html, part
    assert "abc123" not in html and "xyz789" not in html
    assert html.index("MOF-WAS-01") < html.index("MOF-DB-01")
    given = {
        "tiers": "DB, WAS",
        "batch": "2",
        "on_failure": "pause",
        "on_interruption": "rollback",
    }
    wrong = engineer.submit_form(f"{path}/options", path, **{**given, "batch": "0"})
    assert wrong.status_code == 422
    assert engineer.submit_form(f"{path}/options", path, **given).status_code == 303
    shown = view.get_rollout(env.board, ENGINEER, number)
    assert [s.server for s in shown.servers] == ["MOF-DB-01", "MOF-WAS-01"]
    assert (shown.options.canary, shown.options.on_failure) == (False, "pause")
    auditor = sign_in_as("audit")
    assert "<form" not in main_part(auditor.get_page(path).text)
    assert auditor.submit_form(f"{path}/submit", path).status_code == 403
    assert sign_in_as("cus").get_page(path).status_code == 403
    assert engineer.get_page("/rollouts/999").status_code == 404
    assert engineer.submit_form(f"{path}/submit", path).status_code == 303
    again = engineer.submit_form(f"{path}/submit", path)
    assert again.status_code == 409 and "승인 대기" in engineer.get_page(path).text
    shown = view.get_rollout(env.board, ENGINEER, number)
    issue = engineer.get_page(f"/issues/{shown.sr_id}").text
    assert shown.servers[0].hash in issue and shown.sha256 in issue
    assert "part-rollout_progress" in engineer.get_page(f"{path}/live").text
    assert engineer.submit_form(f"{path}/order", path, verb="cancel").status_code == 303
    assert view.get_rollout(env.board, ENGINEER, number).state == "CANCELLED"
    assert "취소" in engineer.get_page("/rollouts").text


@pytest.mark.slow
def test_a_page_asks_for_plans_and_says_what_is_missing(
    env: Any, tmp_path: Path, sign_in_as: Browse
) -> None:
    engineer, form = sign_in_as("eng"), "/rollouts/new"
    assert "먼저 배포 파일을 등록" in engineer.get_page(form).text
    drafted(env, tmp_path)
    html = engineer.get_page(f"{form}?kind=WAS&text=MOF&service=&institution=").text
    assert "맞는 서버가 없습니다" in html
    for given in (
        {"artifact": "2"},
        {"artifact": "", "target": "MOF-WAS-01=x"},
        {"artifact": "2", "target": "MOF-WAS-01=x", "seconds": "0"},
        {"artifact": "2", "target": "MOF-WAS-01=x", "failed_percent": "101"},
        {"artifact": "2", "target": "MOF-WAS-01=x", "batch": "0"},
    ):
        wrong = engineer.submit_form(form, "/rollouts", **{**RULES, **given})
        assert wrong.status_code == 422, given
    given = {**RULES, "artifact": "2", "target": "MOF-WAS-01=x"}
    done = engineer.submit_form(form, "/rollouts", **given)
    assert done.status_code == 303
    shown = view.get_rollout(env.board, ENGINEER, int(done.headers["location"].split("/")[-1]))
    assert shown.state == "PLANNING" and shown.request is not None
    assert shown.request.targets == (("MOF-WAS-01", "x"),)
    path = f"/rollouts/{shown.number}"
    assert engineer.get_page(f"{path}/planned").headers.get("hx-refresh") is None
    assert engineer.submit_form(f"{path}/submit", path).status_code == 409
    assert engineer.submit_form(f"{path}/order", path, verb="cancel").status_code == 303
    assert engineer.get_page(f"{path}/planned").headers["hx-refresh"] == "true"
    for account in ("audit", "cus"):
        other = sign_in_as(account)
        assert other.get_page(form).status_code == 403
        assert other.submit_form(form, "/issues", **given).status_code == 403


RULES = {"tiers": "WEB", "batch": "1", "on_failure": "pause", "on_interruption": "continue"}


def test_only_what_can_be_undone_is_rolled_out(env: Any, tmp_path: Path) -> None:
    drafted(env, tmp_path)
    one = server_plan(SERVER.server_id)
    for plans, error in (
        ([server_plan(SERVER.server_id, final=True)], Refused),
        ([one, one], Invalid),
        ([], Invalid),
    ):
        with pytest.raises(error):
            drafts.draft(env.board, ENGINEER, 2, plans, Options())


@pytest.mark.slow
def test_the_commands_do_the_same(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with command_env(database, tmp_path, monkeypatch) as env:
        file = tmp_path / "app.tar.gz"
        file.write_bytes(archive({"a": b"1"}))
        added = output("artifact", "add", file, "--name", "cli", "--version", "1", "--as", "eng")
        assert "배포 파일 1번" in added
        assert "cli  1" in output("artifact", "list") and "app.tar.gz" in output(
            "artifact", "show", 1
        )
        output("artifact", "remove", 1, "--as", "lead")
        number = drafted(env, tmp_path)
        assert "app 2.0" in output("rollout", "list")
        output("rollout", "edit", number, "--as", "eng", "--tiers", "DB,WAS", "--batch", 2)
        assert "DB → WAS" in output("rollout", "show", number)
        assert "승인을 요청했습니다: SR-" in output("rollout", "submit", number, "--as", "eng")
        assert invoke("rollout", "resume", number, "--as", "eng").exit_code != 0
        assert "취소" in output("rollout", "cancel", number, "--as", "eng", "--reason", "x")
