"""Tests that mandatory reasons and texts reject input without visible characters."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import rules_env
import standing_env
from board_env import CUSTOMER, ENGINEER, LEAD, PM, BoardEnv, assignment, plan
from sqlalchemy import select
from stored_texts import unclean_texts

from guardia.board.accounts import messenger_links, people, tokens
from guardia.board.alerts import maintenance
from guardia.board.approvals import decisions
from guardia.board.approvals.decision_request import DecisionRequest
from guardia.board.assignment import proposals
from guardia.board.assignment.model import Proposal
from guardia.board.audit import log
from guardia.board.audit.chain import ORIGIN
from guardia.board.cmdb import host_keys
from guardia.board.control import closing, directives, kill_switch, manual_plans, reopening
from guardia.board.control.directives import DirectiveRequest
from guardia.board.control.manual_plans import PlanRevision
from guardia.board.core.actors import Actor
from guardia.board.core.claims import Claim
from guardia.board.core.model import Comment, Issue
from guardia.board.core.plan import Action, Risk, ToolCall
from guardia.board.core.planner import ActionDraft
from guardia.board.core.reasons import require_reason
from guardia.board.costs import budgets
from guardia.board.execution import assignments, commands, tasks
from guardia.board.execution.commands import CommandResult, PlanStep
from guardia.board.goals import decisions as goal_decisions
from guardia.board.goals import planning
from guardia.board.goals.planning import Breakdown, GoalPartDraft
from guardia.board.hiring import requests
from guardia.board.hiring.requests import Opening
from guardia.board.integrity import acknowledgement, witness_memory
from guardia.board.integrity.witness_memory import VerifierState
from guardia.board.issues import comments, locking, receiving
from guardia.board.organization import agent_memory, chart
from guardia.board.remote_console import runs
from guardia.board.remote_console.runs import RunRequest
from guardia.board.remote_console.targets import RunLimits
from guardia.board.runs import beats
from guardia.board.service_levels import unresolved as unresolved_requests
from guardia.board.site_rules import changes as rule_changes
from guardia.board.site_rules.terms import SiteRule
from guardia.board.standing import decisions as standing_decisions
from guardia.board.standing import ending as standing_ending
from guardia.errors import Invalid, ServerBusy
from guardia.org import chart as charts
from guardia.org.access import ROLES
from guardia.org.directory import PersonInfo
from guardia.text import MAX_REASON, clean

BOARD = Path(__file__).resolve().parents[3] / "board"
INVISIBLE = ["", " \n\t", "\u200b", "\u2800 \u2800", "\u3164", "\u202e\u2066", "\ufeff\x00\x1b"]
BY = Actor.operator("test")
HOSTILE = " 결산\u202e 때문\x00에\x1b[31m "
LEVEL = Action(
    call=ToolCall(tool="service.set_log_level", args={"service": "budgetdb", "level": "INFO"}),
    risk=Risk.CHANGE,
    effect="로그 수준 변경",
    command="…",
    undo=ToolCall(tool="service.set_log_level", args={"service": "budgetdb", "level": "DEBUG"}),
)
Act = Callable[[str], object]


def _decide(env: BoardEnv, verdict: str) -> Act:
    claim, _, bound = env.create_filed_plan()
    word = decisions.DecisionVerdict(verdict)
    return lambda text: decisions.submit_decision(
        env.board, LEAD, claim.task_id, DecisionRequest(word, bound, text)
    )


def _running(env: BoardEnv) -> Claim:
    held, _, bound = env.create_filed_plan(plan("MAINTENANCE", LEVEL))
    decisions.decide(env.board, LEAD, held.task_id, approve=True, plan_hash=bound)
    return env.claim("db-agent")


def _directive(env: BoardEnv, claim: Claim, verb: str) -> Act:
    return lambda text: directives.issue_directive(
        env.board, LEAD, claim.task_id, DirectiveRequest(verb, text)
    )


def _aborted(env: BoardEnv) -> Claim:
    claim = env.create_parsed_task()
    directives.issue_directive(env.board, LEAD, claim.task_id, DirectiveRequest("abort"))
    return claim


def declare_window(env: BoardEnv) -> Act:
    now = env.board.clock()

    def act(text: str) -> object:
        request = maintenance.WindowRequest(now, now + timedelta(hours=1), text)
        return maintenance.declare_window(env.board, LEAD, request)

    return act


def reopen(env: BoardEnv) -> Act:
    claim = _aborted(env)
    return lambda text: reopening.reopen(env.board, LEAD, claim.sr_id, text)


def close(env: BoardEnv) -> Act:
    sr_id = env.create_parsed_task().sr_id
    return lambda text: closing.close(env.board, LEAD, sr_id, "not_planned", text)


def lock(env: BoardEnv) -> Act:
    sr_id = env.create_parsed_task().sr_id
    return lambda text: locking.lock(env.board, LEAD, sr_id, text)


def unresolved(env: BoardEnv) -> Act:
    sr_id = _aborted(env).sr_id
    with env.board.database.transaction() as session:
        session.get_one(Issue, sr_id).requester_id = CUSTOMER.id
    return lambda text: unresolved_requests.report_unresolved(env.board, CUSTOMER, sr_id, text)


def override(env: BoardEnv) -> Act:
    tasks.begin_execution(env.board, _running(env))
    env.create_issue()
    triage = replace(assignment("MOF-DB-01"), agent_id="was-agent")
    assignments.file_triage(env.board, env.claim("dispatcher"), triage)
    second, given = env.claim("was-agent"), plan("MAINTENANCE", LEVEL)
    tasks.file_plan(env.board, second, given)
    bound = tasks.plan_hash(second.task_id, given)
    decisions.decide(env.board, LEAD, second.task_id, approve=True, plan_hash=bound)
    with pytest.raises(ServerBusy):
        tasks.begin_execution(env.board, second)
    return _directive(env, second, "override")


def complete(env: BoardEnv) -> Act:
    claim = _running(env)
    directives.issue_directive(env.board, LEAD, claim.task_id, DirectiveRequest("manual"))
    return _directive(env, claim, "complete")


def rollback(env: BoardEnv) -> Act:
    claim = _running(env)
    grant = tasks.begin_execution(env.board, claim)
    intent = commands.record_intent(env.board, grant, LEVEL.call, "…", PlanStep(0, "do"))
    commands.record_result(env.board, intent, CommandResult(True, {}, "", 1))
    tasks.complete(env.board, claim, "끝")
    return _directive(env, claim, "rollback")


def change_plan(env: BoardEnv) -> Act:
    claim, filed, bound = env.create_filed_plan()
    args = {name: str(value) for name, value in filed.actions[0].call.args.items()}
    draft = ActionDraft(filed.actions[0].call.tool, {**args, "pid": "8"})
    return lambda text: manual_plans.change_plan(
        env.board, LEAD, claim.task_id, PlanRevision(bound, [draft], text)
    )


def force_action(env: BoardEnv) -> Act:
    sr_id, session = env.create_issue(), {"pid": "7", "backend_start": "2026-11-20 05:00:00+00"}
    draft = ActionDraft("database.terminate_session", {"service": "budgetdb", **session})
    return lambda text: manual_plans.force_action(env.board, LEAD, sr_id, "MOF-DB-01", draft, text)


def change_by_console(env: BoardEnv) -> Act:
    given = {"service": "budgetdb", "pid": "7", "backend_start": "2026-11-20 05:00:00+00"}
    ask, limits = RunRequest("database.terminate_session", given), RunLimits(1, 1)
    return lambda text: runs.start(
        env.board, PM, replace(ask, reason=text, servers=("MOF-DB-01",)), limits
    )


def acknowledge(env: BoardEnv) -> Act:
    files = env.board.notary.witness_files
    witness_memory.save_verifier_state(files, VerifierState(0, ORIGIN, "", 0, "", witnessed=True))
    files.memory.unlink()
    return lambda text: acknowledgement.acknowledge_loss(env.board, BY, text)


def release(env: BoardEnv) -> Act:
    kill_switch.kill(env.board, PM, "이상")
    return lambda text: kill_switch.release(env.board, PM, text)


def raise_cap(env: BoardEnv) -> Act:
    text = charts.shipped_chart_path().read_text("utf-8")
    capped = text.replace("  - id: db-agent\n", "  - id: db-agent\n    budget: {tokens: 10}\n")
    chart.apply_chart(env.board, capped, BY)
    return lambda text: budgets.raise_cap(env.board, PM, "agent", "db-agent", tokens=1, reason=text)


def _goal(env: BoardEnv) -> int:
    """Create a goal that waits for an answer and for a hire."""
    sr_id = planning.create_goal(env.board, LEAD, "회선 점검", channel="web")
    begun = beats.begin(env.board, "dispatcher")
    assert begun is not None
    claim = planning.claim_goal(env.board, begun)
    assert claim is not None
    opening = Opening("net-agent", "회선 전문가", ("NETWORK",), "dispatcher", "없음")
    draft = GoalPartDraft(0, "회선", "REQUEST", "NETWORK", "P3", question="?", opening=opening)
    planning.file_plan(env.board, claim, Breakdown(({"text": "회선"},), (draft,), "내장 규칙"))
    return sr_id


def drop(env: BoardEnv) -> Act:
    sr_id = _goal(env)
    return lambda text: goal_decisions.drop(env.board, LEAD, sr_id, text)


def answer(env: BoardEnv) -> Act:
    sr_id = _goal(env)
    return lambda text: goal_decisions.answer(env.board, LEAD, sr_id, {0: text})


def reject_hire(env: BoardEnv) -> Act:
    _goal(env)
    return lambda text: requests.reject(env.board, PM, 1, text)


def edit_note(env: BoardEnv) -> Act:
    number = agent_memory.add_lesson(env.board, LEAD, "db-agent", "처음")
    return lambda text: agent_memory.edit(env.board, LEAD, "db-agent", number, version=1, body=text)


def comment(env: BoardEnv) -> Act:
    sr_id = env.create_issue()
    return lambda text: comments.add_comment(env.board, sr_id, Actor.person("lead"), text)


def _person(env: BoardEnv, name: str) -> None:
    person = PersonInfo(id="new", name=name, title="", role=ROLES[1])
    people.add(env.board, BY, person)


def reject_standing(env: BoardEnv) -> Act:
    number = standing_env.propose(env)
    bound = standing_env.terms_of(env, number).hash
    return lambda text: standing_decisions.reject(env.board, LEAD, number, bound, text)


def revoke_standing(env: BoardEnv) -> Act:
    number = standing_env.propose(env)
    return lambda text: standing_ending.revoke(env.board, LEAD, number, text)


def _frozen(env: BoardEnv) -> SiteRule:
    """Forbid every change for two hours."""
    return rules_env.add(env.board, "closing", rules_env.freeze_from(datetime.now(UTC)))


def add_rule(env: BoardEnv) -> Act:
    rule = rules_env.site_rule("closing", rules_env.freeze_from(datetime.now(UTC)))
    return lambda text: rule_changes.add_rule(env.board, LEAD, rule, text)


def edit_rule(env: BoardEnv) -> Act:
    rule = _frozen(env).model_copy(update={"sentence": "결산이 끝나지 않았습니다."})
    return lambda text: rule_changes.edit_rule(env.board, LEAD, rule, text, 1)


def remove_rule(env: BoardEnv) -> Act:
    name = _frozen(env).name
    return lambda text: rule_changes.remove_rule(env.board, LEAD, name, text, 1)


def request_exception(env: BoardEnv) -> Act:
    claim, _, bound = env.create_filed_plan()
    _frozen(env)
    return lambda text: manual_plans.request_exception(env.board, PM, claim.task_id, bound, text)


def confirm_host_key(env: BoardEnv) -> Act:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBK5i0iJm4fG2bD5nZ7mS8YyWJ7R9qk1wq3u2m4o6p8r"
    return lambda text: host_keys.confirm(env.board, BY, "MOF-DB-01", key, text)


def decline_proposal(env: BoardEnv) -> Act:
    env.create_parsed_task("MOF-DB-01")
    tasks.hand_over(env.board, env.claim("db-agent"), "담당자 확인")
    with env.board.database.reading() as session:
        number = session.scalars(select(Proposal.proposal_id)).one()
    return lambda text: proposals.decline(env.board, ENGINEER, number, text)


REASONS: dict[str, tuple[str, Callable[[BoardEnv], Act]]] = {
    "reject": ("board/approvals/decisions.py:submit_decision", lambda env: _decide(env, "reject")),
    "changes": ("board/approvals/decisions.py:submit_decision", lambda env: _decide(env, "change")),
    "complete": ("board/control/directive_handlers.py:_complete", complete),
    "rollback": ("board/control/directive_handlers.py:_rollback", rollback),
    "override": ("board/control/directive_handlers.py:_override", override),
    "reopen task": (
        "board/control/directive_handlers.py:_reopen",
        lambda env: _directive(env, _aborted(env), "reopen"),
    ),
    "reopen": ("board/control/reopening.py:reopen", reopen),
    "close": ("board/control/closing.py:close", close),
    "lock": ("board/issues/locking.py:lock", lock),
    "unresolved": ("board/service_levels/unresolved.py:report_unresolved", unresolved),
    "change plan": ("board/control/manual_plans.py:change_plan", change_plan),
    "maintenance": ("board/alerts/maintenance.py:declare_window", declare_window),
    "force": ("board/control/manual_plans.py:force_action", force_action),
    "console": ("board/remote_console/runs.py:start", change_by_console),
    "release": ("board/control/kill_switch.py:release", release),
    "budget": ("board/costs/budgets.py:raise_cap", raise_cap),
    "loss": ("board/integrity/acknowledgement.py:acknowledge_loss", acknowledge),
    "standing": ("board/standing/decisions.py:reject", reject_standing),
    "revoke": ("board/standing/ending.py:revoke", revoke_standing),
    "drop": ("board/goals/decisions.py:_end_goal", drop),
    "hire": ("board/hiring/requests.py:reject", reject_hire),
    "host key": ("board/cmdb/host_keys.py:confirm", confirm_host_key),
    "add rule": ("board/site_rules/changes.py:add_rule", add_rule),
    "edit rule": ("board/site_rules/changes.py:edit_rule", edit_rule),
    "remove rule": ("board/site_rules/changes.py:remove_rule", remove_rule),
    "decline": ("board/assignment/proposals.py:decline", decline_proposal),
    "exception": ("board/control/manual_plans.py:request_exception", request_exception),
}
"""Functions that demand a reason, each with a setup that reaches the demand."""
TEXTS: dict[str, Callable[[BoardEnv], Act]] = {
    "goal": lambda env: lambda text: planning.create_goal(env.board, LEAD, text, channel="web"),
    "answer": answer,
    "lesson": lambda env: lambda text: agent_memory.add_lesson(env.board, LEAD, "db-agent", text),
    "note": edit_note,
    "comment": comment,
    "request": lambda env: lambda text: env.create_issue(text=text),
    "token": lambda env: (
        lambda text: tokens.create_token(env.board, LEAD, text, ["issue.read"], 30)
    ),
    "person": lambda env: lambda text: _person(env, text),
    "messenger": lambda env: (
        lambda text: messenger_links.link(env.board, BY, "eng", "mattermost", text)
    ),
}


def demanding() -> set[str]:
    """Return the functions of the board that demand a reason."""
    found = set()
    for path in sorted(BOARD.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and any(
                isinstance(call, ast.Call) and ast.unparse(call.func) == "require_reason"
                for call in ast.walk(node)
            ):
                found.add(f"{path.relative_to(BOARD.parent)}:{node.name}")
    return found


@pytest.mark.slow
def test_every_demand_is_tested_here() -> None:
    assert demanding() == {where for where, _ in REASONS.values()}


@pytest.mark.slow
@pytest.mark.parametrize("name", [*REASONS, *TEXTS])
def test_what_shows_nothing_is_refused_and_the_rest_is_kept_clean(env: BoardEnv, name: str) -> None:
    prepare = TEXTS[name] if name in TEXTS else REASONS[name][1]
    act = prepare(env)
    with env.board.database.reading() as session:
        before = log.count_entries(session)
    for text in INVISIBLE:
        with pytest.raises(Invalid):
            act(text)
    with env.board.database.reading() as session:
        assert log.count_entries(session) == before, "nothing of it is in the log"
    act(HOSTILE)
    assert unclean_texts(env.dsn) == []
    with env.board.database.reading() as session:
        assert log.verify_all(session).intact
        entries = [str(e.detail) + e.log_content for e in log.entries(session, before)]
        # Of a comment the log keeps a digest only.
        kept = [*entries, *session.scalars(select(Comment.body))]
    assert any(clean(HOSTILE).strip() in text for text in kept)


def test_a_reason_is_cut_and_names_what_it_is_for() -> None:
    assert require_reason(f" {'가' * 2000} ") == "가" * MAX_REASON
    with pytest.raises(Invalid, match="사유"):
        require_reason("\u200b")


def test_a_request_takes_its_title_from_the_first_line_that_shows_something(env: BoardEnv) -> None:
    hidden = receiving.NewIssue("\u200b\n제목\n본문", "web", "장하늘", title="\u2800")
    assert hidden == replace(hidden, title="\u2800")
    sr_id = receiving.receive_issue(env.board, hidden)
    with env.board.database.reading() as session:
        [entry] = [e for e in log.entries(session) if e.sr_id == sr_id]
    assert entry.detail["title"] == "제목"
