"""The API of external agents: what it allows, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from adapter_env import LOCKS, NO_LOCKS, TERMINATE, AdapterRun, open_adapter_run
from board_env import LEAD, BoardEnv, plan
from external_agents import audit_entries, chart_with_adapter
from waiting import wait_until

from guardia import errors as guardia_errors
from guardia.board.approvals import decisions
from guardia.board.control import directives, kill_switch
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core.actors import Actor
from guardia.board.core.claims import Claim
from guardia.board.core.lifecycle import State
from guardia.board.execution import view
from guardia.board.external_agents import sessions
from guardia.board.organization import chart as organization_chart
from guardia.board.site import permissions
from guardia.errors import Stale

PLAN = {"because": "세션 7이 잠금을 쥐고 있습니다.", "actions": [TERMINATE]}


def state(found: AdapterRun) -> State:
    return view.task(found.env.board, found.claim.task_id).state


def refusals(found: AdapterRun) -> list[str]:
    """Return the refusals in the audit log."""
    return [e.detail["error"] for e in audit_entries(found.env.board, "outside_refused")]


@pytest.mark.slow
def test_an_agent_reads_its_task_and_server_and_requests_reads(env: BoardEnv) -> None:
    with open_adapter_run(env, tools=("database.*",)) as found:
        task = found.ask("GET", "").json()
        assert (task["task"], task["state"]) == (found.claim.task_id, "PARSED")
        assert task["request"] and task["calls_left"] == 199
        host = found.ask("GET", "/server").json()
        assert host["server_id"] == "MOF-DB-01"
        assert not {"address", "account", "credential", "host_key"} & set(host)
        names = [t["name"] for t in found.ask("GET", "/tools").json()]
        assert names and all(name.startswith("database.") for name in names)
        answer = found.ask("POST", "/reads", LOCKS)
        assert (answer.status_code, answer.json()) == (200, {"ok": True, "findings": NO_LOCKS})
        evidence = found.ask("GET", "/evidence").json()
        assert [piece["tool"] for piece in evidence] == ["database.locks"]
        later = found.ask("GET", f"/evidence?after={evidence[0]['evidence_id']}").json()
        assert later == []
        assert found.ask("POST", "/notes", {"text": "읽어 보았습니다"}).status_code == 204
        assert found.ask("POST", "/usage", {
            "model": "m", "input_tokens": 5, "output_tokens": 2}).status_code == 204  # fmt: skip
        assert refusals(found) == [] and len(found.transport.sent) == 1
    assert found.endings[0].how == "ended"


@pytest.mark.slow
def test_every_request_needs_a_live_token_for_its_own_task(env: BoardEnv) -> None:
    agent_routes = [r for r, rule in permissions.ROUTES.items() if rule == permissions.AGENT_TOKEN]
    with open_adapter_run(env) as found:
        for method, path in agent_routes:
            address = path.replace("{task_id}", "1").replace("{call_id}", "1")
            for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": found.token}):
                assert found.browser.request(method, address, headers=headers).status_code == 401
        # A known token on another task: the task is not found, and the refusal is logged.
        other = found.env.create_issue()
        assert found.ask("GET", "", task=other + 1).status_code == 404
        assert found.ask("POST", "/notes", {"text": "x"}, task=999).status_code == 404
        assert refusals(found) == ["NotFound", "NotFound"]
        # The token gives access to no other endpoint either.
        bearer = {"authorization": f"Bearer {found.token}"}
        assert found.browser.put("/api/v3/kill-switch", headers=bearer).status_code in {401, 403}
        decision = f"/issues/{found.claim.sr_id}/tasks/{found.claim.task_id}/decision"
        assert found.browser.post(decision, headers=bearer).status_code in {401, 403}
        assert found.browser.get("/issues", headers=bearer).status_code == 401


WRONG: dict[str, tuple[str, Any, int]] = {
    "unknown tool": ("/reads", {"tool": "shell.run", "args": {"cmd": "id"}}, 409),
    "not a name": ("/reads", {"tool": "database.locks; id", "args": {}}, 422),
    "not in its chart": ("/reads", {"tool": "disk.usage", "args": {}}, 403),
    "not in its chart, planned": ("/plan", {**PLAN, "actions": [
        {"tool": "service.restart", "args": {"service": "budgetdb"}}]}, 403),
    "a change as a read": ("/reads", TERMINATE, 409),
    "a read as a change": ("/plan", {**PLAN, "actions": [LOCKS]}, 409),
    "a change as a check": ("/plan", {**PLAN, "verify": [{**TERMINATE, "expect": "acted"}]}, 409),
    "shell in an argument": ("/reads", {"tool": "database.locks",
        "args": {"service": "budgetdb; rm -rf /"}}, 422),
    "substitution": ("/reads", {"tool": "database.locks", "args": {"service": "$(id)"}}, 422),
    "new line": ("/reads", {"tool": "database.locks", "args": {"service": "budgetdb\nid"}}, 422),
    "another service": ("/reads", {"tool": "database.locks", "args": {"service": "edudb"}}, 409),
    "SQL in an argument": ("/plan", {**PLAN, "actions": [{"tool": TERMINATE["tool"],
        "args": {**TERMINATE["args"], "backend_start": "' or '1'='1"}}]}, 422),
    "one argument more": ("/reads", {"tool": "database.locks",
        "args": {"service": "budgetdb", "host": "other"}}, 422),
    "another server": ("/plan", {**PLAN, "server": "MOF-WAS-01"}, 422),
    "a command of its own": ("/plan", {**PLAN, "actions": [
        {**TERMINATE, "command": "rm -rf /"}]}, 422),
    "a milder category": ("/plan", {**PLAN, "category": "READ_ONLY"}, 422),
    "a fraction": ("/reads", {"tool": "database.locks", "args": {"service": 1.5}}, 422),
    "two keys that are one": ("/reads", {"tool": "database.locks",
        "args": {"\u1112\u1161": 1, "\ud558": 2}}, 422),
    "a broken expectation": ("/plan", {**PLAN, "verify": [{**LOCKS, "expect": "waiting =="}]}, 422),
    "too many actions": ("/plan", {**PLAN, "actions": [TERMINATE] * 21}, 422),
    "apply what was never filed": ("/apply", {"plan_hash": "0" * 64}, 409),
    "an oversized text": ("/notes", {"text": "x" * 5000}, 422),
    "an oversized body": ("/notes", {"text": "x" * 300_000}, 413),
}  # fmt: skip


@pytest.mark.slow
def test_calls_beyond_the_grant_are_refused_and_reach_no_server(env: BoardEnv) -> None:
    with open_adapter_run(env, tools=("database.*",)) as found:
        outcomes = {name: found.ask("POST", path, body) for name, (path, body, _) in WRONG.items()}
        assert {n: a.status_code for n, a in outcomes.items()} == {
            name: wanted for name, (_, _, wanted) in WRONG.items()
        }
        assert all(a.json()["message"] for a in outcomes.values())
        assert found.transport.sent == [] and state(found) is State.PARSED
        # Well-formed calls reached the worker, which logged its refusals.
        entries = audit_entries(env.board, "outside_refused")
        assert {e.detail["error"] for e in entries} == {"Refused", "Forbidden", "Invalid"}
        assert all(e.actor == "agent:db-agent" and e.detail["why"] for e in entries)
        assert len(entries) == 14


@pytest.mark.slow
def test_only_an_approved_plan_is_applied(env: BoardEnv) -> None:
    with open_adapter_run(env, tools=("database.*",)) as found:
        answer = found.ask("POST", "/plan", PLAN).json()
        assert (answer["state"], answer["category"]) == ("PENDING_APPROVAL", "MAINTENANCE")
        bound = {"plan_hash": answer["plan_hash"]}
        # Filing the plan has read its prechecks; nothing more reaches the server.
        (read,) = found.transport.sent
        assert "pg_terminate_backend" not in read
        early = found.ask("POST", "/apply", bound)
        assert early.status_code in {401, 409} and found.transport.sent == [read]
        assert wait_until(lambda: found.endings)
        assert found.endings[0].how == "turn_over"
        assert found.ask("GET", "").status_code == 401
    board = env.board
    decisions.decide(board, LEAD, found.claim.task_id, approve=True, plan_hash=answer["plan_hash"])
    with open_adapter_run(env, env.claim("db-agent")) as again:
        assert again.ask("GET", "").json()["state"] == "APPROVED"
        changed = again.ask("POST", "/apply", {"plan_hash": "f" * 64})
        assert changed.status_code == 409 and again.transport.sent == []
        assert again.ask("POST", "/finish", {"text": "됐습니다"}).status_code == 409
        # A person changes the plan after its approval: this ends the claim and the approval.
        directive = DirectiveRequest(
            "change", "다른 세션입니다", answer["plan_hash"], plan("MAINTENANCE")
        )
        directives.issue_directive(board, LEAD, again.claim.task_id, directive)
        late = again.ask("POST", "/apply", bound)
        assert late.status_code in {401, 409} and again.transport.sent == []
        assert state(again) is State.PENDING_APPROVAL
        assert wait_until(lambda: again.endings)
    assert again.endings[0].how == "overruled"


@pytest.mark.slow
def test_a_directive_and_the_kill_switch_end_the_session_at_once(env: BoardEnv) -> None:
    def abort(found: AdapterRun) -> None:
        directives.issue_directive(
            env.board, LEAD, found.claim.task_id, DirectiveRequest("abort", "그만")
        )

    def kill(_: AdapterRun) -> None:
        kill_switch.kill(env.board, LEAD, "시험")

    for order in (abort, kill):
        with open_adapter_run(env) as found:
            order(found)
            late = found.ask("POST", "/reads", LOCKS)
            assert late.status_code in {401, 409}
            assert wait_until(lambda: found.endings)
            assert found.endings[0].how == "overruled"
            assert found.ask("POST", "/notes", {"text": "그래도"}).status_code == 401
            assert found.transport.sent == []
        assert {"TokenNeeded"} <= set(refusals(found))


def test_a_token_ends_at_its_expiry_and_with_its_run(env: BoardEnv) -> None:
    def opened(claim: Claim) -> str:
        offered = {"host": {}, "tools": []}
        return sessions.open_session(env.board, claim, offered, kind="http", seconds=60, budget=9)[
            1
        ]

    first = env.create_parsed_task()
    token = opened(first)
    later = replace(env.board, clock=lambda: env.board.clock() + timedelta(hours=1))
    with pytest.raises(guardia_errors.TokenNeeded):
        sessions.authorize(later, token, first.task_id, "GET")
    # Another worker reclaims the task: the older token no longer works.
    second = env.claim("db-agent")
    assert second.task_id == first.task_id
    with pytest.raises(Stale):
        sessions.authorize(env.board, token, first.task_id, "GET")
    newer = opened(second)
    with pytest.raises(guardia_errors.TokenNeeded):
        sessions.authorize(env.board, token, first.task_id, "GET")
    assert sessions.authorize(env.board, newer, first.task_id, "GET").claim == second
    errors = [e.detail["error"] for e in audit_entries(env.board, "outside_refused")]
    assert errors == ["TokenNeeded", "Stale", "TokenNeeded"]


@pytest.mark.slow
def test_requests_are_counted_and_refusals_end_the_session(env: BoardEnv) -> None:
    with open_adapter_run(env, calls=3) as found:
        answers = [found.ask("GET", "").status_code for _ in range(6)]
        assert answers == [200, 200, 200, 429, 429, 429]
        for _ in range(40):
            found.ask("GET", "")
        assert wait_until(lambda: found.endings)
        assert found.endings[0].how == "closed"
    assert len(audit_entries(env.board, "outside_refused")) == sessions.REFUSALS
    ended = audit_entries(env.board, "outside_ended")[0]
    assert ended.detail["calls"] == 3 and ended.detail["refusals"] >= sessions.REFUSALS


@pytest.mark.slow
def test_usage_is_recorded_and_an_exhausted_budget_ends_the_session(env: BoardEnv) -> None:
    chart = chart_with_adapter({"kind": "claude_code"}, budget={"tokens": 100})
    organization_chart.apply_chart(env.board, chart, Actor.operator("test"))
    used = {"model": "m", "input_tokens": 40, "output_tokens": 10}
    with open_adapter_run(env) as found:
        assert found.ask("POST", "/usage", used).status_code == 204
        assert found.ask("GET", "").status_code == 200
        assert found.ask("POST", "/usage", used).status_code == 204
        assert found.ask("GET", "").status_code == 401
        assert wait_until(lambda: found.endings)
        assert found.endings[0].how == "closed"


@pytest.mark.slow
def test_a_late_response_is_polled(env: BoardEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardia.board.external_agents.api.WAIT_SECONDS", 0.0)
    with open_adapter_run(env) as found:
        answer = found.ask("POST", "/reads", LOCKS)
        assert answer.status_code == 202
        number = answer.json()["call"].rpartition("/")[2]
        monkeypatch.setattr("guardia.board.external_agents.api.WAIT_SECONDS", 20.0)
        assert found.ask("GET", f"/calls/{number}").json()["findings"] == NO_LOCKS
        assert found.ask("GET", "/calls/999").status_code == 404


@pytest.mark.slow
def test_finishing_without_a_change_never_closes_an_incident(env: BoardEnv) -> None:
    with open_adapter_run(env) as found:
        answer = found.ask("POST", "/finish", {"text": "이상이 없습니다"})
        assert answer.json() == {"state": "MANUAL"}
    assert state(found) is State.MANUAL and found.transport.sent == []
