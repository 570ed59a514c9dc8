"""Web forms for people's plans: edit a plan, and force one action."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from board_env import SERVER, BoardEnv, plan
from page_env import PAGE, PageClient, main_part, recorded_statements

from guardia.board.approvals import pending
from guardia.board.core.claims import Claim
from guardia.board.core.lifecycle import State
from guardia.board.core.plan import ToolCall
from guardia.board.execution import view
from guardia.board.organization import chart
from guardia.org.directory import Directory, Service
from guardia.tools import planning as catalogue

Browse = Callable[[str], PageClient]
PROGRAM = Service(
    name="budgetdb", kind="http", port=80, control="/h/ctl", root="/h/budgetdb", health="/health"
)
HOST = SERVER.model_copy(update={"services": (PROGRAM,)})
CALL = ToolCall(
    tool="service.set_log_level",
    args={"service": "budgetdb", "level": "INFO", "previous": "DEBUG"},
)


@pytest.fixture
def claim(web_env: BoardEnv) -> Claim:
    """A pending plan on a server that has what its tool requires."""
    chart.import_directory(web_env.board, Directory(servers=(HOST,)), {})
    return web_env.create_filed_plan(plan("MAINTENANCE", catalogue.propose(CALL, HOST)))[0]


def pages(claim: Claim) -> tuple[str, str]:
    issue = f"/issues/{claim.sr_id}"
    return issue, f"{issue}/tasks/{claim.task_id}/plan"


@pytest.mark.slow
def test_a_plan_with_a_changed_argument_needs_a_new_approval(
    sign_in_as: Browse, web_env: BoardEnv, claim: Claim
) -> None:
    issue, form = pages(claim)
    engineer = sign_in_as("eng")
    assert form in engineer.get_page(issue).text
    html = engineer.get_page(form).text
    assert 'name="1.level"' in html and 'value="INFO"' in html
    assert 'value="change"' not in engineer.get_page(issue).text  # only with its own form
    before = view.plan_state(web_env.board, claim.task_id).plan_hash or ""
    changes = {"plan_hash": before, "1.level": "WARN", "reason": "경고는 남깁니다"}
    assert engineer.submit_form(form, form, **changes).status_code == 303
    found = view.plan_state(web_env.board, claim.task_id)
    assert found.plan is not None and found.plan_hash != before
    assert found.plan.actions[0].call.args["level"] == "WARN"
    assert view.task(web_env.board, claim.task_id).state is State.PENDING_APPROVAL
    assert "경고는 남깁니다" in engineer.get_page(issue).text
    # The form of a replaced plan shows that it is outdated.
    stale = engineer.submit_form(form, form, **{**changes, "1.level": "ERROR"})
    assert stale.status_code == 409 and 'role="alert"' in stale.text


@pytest.mark.slow
def test_an_invalid_form_is_shown_again_with_its_input(
    sign_in_as: Browse, web_env: BoardEnv, claim: Claim
) -> None:
    _, form = pages(claim)
    lead = sign_in_as("lead")
    before = view.plan_state(web_env.board, claim.task_id).plan_hash or ""
    changes = {"plan_hash": before, "reason": "<b>사유</b>", "1.level": '"><script>'}
    answer = lead.submit_form(
        form, form, **changes, tool="service.restart", arguments="service=budgetdb"
    )
    assert answer.status_code == 422 and 'role="alert"' in answer.text
    assert "&#34;&gt;&lt;script&gt;" in answer.text and "<script>" not in answer.text
    assert "&lt;b&gt;사유" in answer.text and "service=budgetdb</textarea>" in answer.text
    for wrong in (
        {"drop.1": "1"},
        {"tool": "service.restart", "arguments": "service"},
        {"tool": "service.explode"},
        {"1.level": "WARN", "reason": " "},
    ):
        answer = lead.submit_form(form, form, **{"plan_hash": before, "reason": "고침", **wrong})
        assert answer.status_code in (409, 422), wrong
    assert view.plan_state(web_env.board, claim.task_id).plan_hash == before
    dropped = {"plan_hash": before, "reason": "고침", "drop.1": "1"}
    more = {"tool": "service.restart", "arguments": "service=budgetdb"}
    assert lead.submit_form(form, form, **dropped, **more).status_code == 303
    found = view.plan_state(web_env.board, claim.task_id).plan
    assert found is not None and [a.call.tool for a in found.actions] == ["service.restart"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"1.level": "LOUD"}, "a-1-level"),
        ({"1.service": "nosuch!"}, "a-1-service"),
        ({"tool": "service.restart", "arguments": "service"}, "arguments"),
        ({"tool": "service.restart", "arguments": "service=x y"}, "arguments"),
        ({"tool": "service.explode"}, "tool"),
        ({"1.level": "WARN", "reason": " "}, "reason"),
    ],
)
@pytest.mark.slow
def test_an_error_is_at_its_field_which_has_the_focus(
    sign_in_as: Browse, web_env: BoardEnv, claim: Claim, wrong: dict[str, str], field: str
) -> None:
    _, form = pages(claim)
    lead = sign_in_as("lead")
    before = view.plan_state(web_env.board, claim.task_id).plan_hash or ""
    answer = lead.submit_form(form, form, **{"plan_hash": before, "reason": "고침", **wrong})
    assert answer.status_code in (409, 422)
    main = main_part(answer.text)
    assert f'id="{field}-error"' in main and main.count("field-error") == 1
    assert main.count("autofocus") == 1 and 'class="notice danger"' not in main
    assert f'aria-describedby="{field}-error"' in main


@pytest.mark.slow
def test_a_forced_action_has_its_own_form(
    sign_in_as: Browse, web_env: BoardEnv, claim: Claim
) -> None:
    issue, form = f"/issues/{claim.sr_id}", f"/issues/{claim.sr_id}/force"
    manager = sign_in_as("pm")
    assert form in manager.get_page(issue).text
    html = manager.get_page(form).text
    assert 'value="MOF-DB-01"' in html and "service.restart" in html
    changes = {"server": "MOF-DB-01", "tool": "service.restart", "arguments": "service=budgetdb"}
    for wrong in ({"reason": ""}, {"server": "x"}, {"tool": ""}, {"arguments": "service=x y"}):
        answer = manager.submit_form(form, form, **{**changes, "reason": "긴급", **wrong})
        assert answer.status_code in (404, 409, 422) and 'role="alert"' in answer.text
    assert manager.submit_form(form, form, **changes, reason="긴급 복구").status_code == 303
    assert "강제 조치" in manager.get_page(issue).text
    waiting = pending.pending_plans(web_env.board, claim.sr_id)
    assert [w.plan.category for w in waiting] == ["MAINTENANCE", "FORCED"]


@pytest.mark.slow
def test_people_without_permission_get_no_form_and_other_issues_are_not_found(
    sign_in_as: Browse, claim: Claim
) -> None:
    issue, form = pages(claim)
    force = f"/issues/{claim.sr_id}/force"
    for account, answers in {"cus": (404, 403), "eng": (200, 403), "audit": (403, 403)}.items():
        browser = sign_in_as(account)
        found = tuple(browser.get_page(path).status_code for path in (form, force))
        assert found == answers, account
        sent = browser.post(
            force, data={"csrf": "0", "server": "x"}, headers={"accept": "text/html"}
        )
        assert sent.status_code == 403
    assert force not in sign_in_as("eng").get_page(issue).text
    stranger = sign_in_as("cus2")
    assert {stranger.get_page(path).status_code for path in (form, force)} == {404}
    assert sign_in_as("lead").get_page(f"/issues/{claim.sr_id}/tasks/999/plan").status_code == 404


@pytest.mark.slow
def test_forms_of_plans_never_build_the_page_of_the_issue(
    sign_in_as: Browse, web_env: BoardEnv, claim: Claim
) -> None:
    issue, form = pages(claim)
    manager, force = sign_in_as("pm"), f"{issue}/force"
    bound = view.plan_state(web_env.board, claim.task_id).plan_hash or ""
    action = {"server": "MOF-DB-01", "tool": "service.restart", "arguments": "service=budgetdb"}
    data = {"csrf": manager.token(), **action}
    changed = {"csrf": data["csrf"], "plan_hash": bound, "1.level": "WARN"}
    with recorded_statements(web_env.board) as statements:
        found = [
            *(manager.get_page(path) for path in (form, force)),
            *(
                manager.post(path, data=fields, headers=PAGE, follow_redirects=False)
                for path, fields in (
                    (form, {**changed, "reason": " "}),
                    (form, {**changed, "reason": "고침"}),
                    (force, {**data, "reason": " "}),
                    (force, {**data, "reason": "긴급"}),
                    (f"{issue}0/force", data),
                )
            ),
        ]
    assert [a.status_code for a in found] == [200, 200, 422, 303, 422, 303, 404]
    assert not [statement for statement in statements if "FROM tb_comment" in statement]
