"""Decisions and orders from the command line, as people give them: with a password, by a right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from board_env import LEAD, SERVER, BoardEnv, plan
from command_line import command_env, invoke, output, refusal
from page_env import PASSWORD
from passkey_env import demand_passkeys

from guardia.board.approvals import decisions, pending
from guardia.board.audit import log
from guardia.board.audit.signing import DecisionSigner
from guardia.board.core import kill_switch
from guardia.board.core.claims import Claim
from guardia.board.core.lifecycle import State
from guardia.board.core.plan import Plan, ToolCall
from guardia.board.core.run_model import ServerWait
from guardia.board.execution import commands, grants, tasks, view
from guardia.board.execution.commands import CommandResult, PlanStep
from guardia.board.organization import chart
from guardia.errors import (
    Forbidden,
    GuardiaError,
    IllegalMove,
    Invalid,
    NotFound,
    PasskeyNeeded,
    Refused,
    Stale,
)
from guardia.org.credential_store import FileCredentialStore
from guardia.org.directory import Directory, Service
from guardia.settings import Settings
from guardia.tools import planning as catalogue

HOSTILE = "'; drop table tb_ops_task; -- [red]${HOME}[/] \x1b[31m{sr} <script>\u202e가\udcff"
ARGS = {"service": "budgetdb", "level": "INFO", "previous": "DEBUG"}
CALL = ToolCall(tool="service.set_log_level", args=ARGS)
PROGRAM = Service(
    name="budgetdb", kind="http", port=80, control="/h/ctl", root="/h/budgetdb", health="/health"
)
HOST = SERVER.model_copy(update={"services": (PROGRAM,)})


@pytest.fixture
def env(database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BoardEnv]:
    """The board where the commands find it; agents sign with the same installation's key."""
    with command_env(database, tmp_path, monkeypatch) as env:
        chart.import_directory(env.board, Directory(servers=(HOST,)), {})
        env.board = replace(
            env.board,
            decision_signer=DecisionSigner.from_store(FileCredentialStore(Settings().secrets)),
        )
        yield env


def rows(env: BoardEnv, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(env.dsn) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def kinds(env: BoardEnv) -> list[str]:
    with env.board.database.reading() as session:
        assert log.verify_all(session).intact
        return [link.kind for link in log.entries(session)]


def made() -> Plan:
    return plan("MAINTENANCE", catalogue.propose(CALL, HOST))


def waiting(env: BoardEnv) -> Claim:
    return env.create_filed_plan(made())[0]


def running(env: BoardEnv) -> Claim:
    held, _, bound = env.create_filed_plan(made())
    decisions.decide(env.board, LEAD, held.task_id, approve=True, plan_hash=bound)
    again = env.claim("db-agent")
    tasks.begin_execution(env.board, again)
    return again


def completed(env: BoardEnv) -> Claim:
    claim = running(env)
    grant = grants.execution_grant(env.board, claim)
    intent = commands.record_intent(env.board, grant, CALL, "…", PlanStep(0, "do"))
    commands.record_result(env.board, intent, CommandResult(True, {}, "", 1))
    tasks.complete(env.board, claim, "끝")
    return claim


def manual(env: BoardEnv) -> Claim:
    claim = running(env)
    output("directive", claim.sr_id, "manual", "--as", "eng")
    return claim


def paused(env: BoardEnv) -> Claim:
    claim = waiting(env)
    output("directive", claim.sr_id, "pause", "--as", "eng")
    return claim


def aborted(env: BoardEnv) -> Claim:
    claim = waiting(env)
    output("directive", claim.sr_id, "abort", "--as", "eng")
    return claim


def queued(env: BoardEnv) -> Claim:
    """Return an approved task that waits for another change of its server."""
    claim, _, bound = env.create_filed_plan(made())
    decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=bound)
    now = env.board.clock()
    with env.board.database.transaction() as session:
        session.add(
            ServerWait(task_id=claim.task_id, server_id="MOF-DB-01", holder_id=999, since=now)
        )
    return claim


def state(env: BoardEnv, claim: Claim) -> State:
    return view.task(env.board, claim.task_id).state


def named(env: BoardEnv, sr_id: int) -> tuple[str, str]:
    """Return the option that names the plan which waits on an issue."""
    (plan,) = pending.pending_plans(env.board, sr_id)
    return "--plan", plan.plan_hash[:8]


# Decisions -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verb", "after", "kind"),
    [
        ("approve", State.APPROVED, "approved"),
        ("reject", State.MANUAL, "rejected"),
        ("ask-changes", State.PARSED, "changes_asked"),
    ],
)
def test_a_decision(env: BoardEnv, verb: str, after: State, kind: str) -> None:
    claim = waiting(env)
    before, plan = kinds(env), named(env, claim.sr_id)
    # Neither a wrong password, nor who may not, nor whom nobody knows.
    for account, password in (("lead", "틀림"), ("nobody", PASSWORD), ("eng", PASSWORD)):
        words = (verb, f"sr-{claim.sr_id}", "--as", account, "--reason", "x", *plan)
        done = invoke(*words, env={"GUARDIA_PASSWORD": password})
        assert isinstance(done.exception, Forbidden), done.output
    if verb != "approve":
        refusal(Invalid, verb, claim.sr_id, "--as", "lead", "--reason", "  ", *plan)
    assert kinds(env) == before and state(env, claim) is State.PENDING_APPROVAL
    shown = output(verb, f"#{claim.sr_id}", "--as", "lead", "--reason", HOSTILE, *plan)
    assert "세션 7" in shown and state(env, claim) is after
    assert kinds(env)[-1] == kind
    [(kept,)] = rows(env, "select reason from tb_decision")
    assert "drop table" in kept and "\x1b" not in kept
    refusal(Invalid, verb, claim.sr_id, "--as", "lead", "--reason", "다시")


@pytest.mark.slow
def test_a_decision_answers_the_plan_that_was_shown(env: BoardEnv) -> None:
    claim = waiting(env)
    words, before = ("approve", claim.sr_id, "--as", "lead"), named(env, claim.sr_id)
    # Without a terminal, input does not count as a person's answer.
    done = invoke(*words, answer="y\n" * 5)
    assert isinstance(done.exception, Invalid)
    assert f"--plan {before[1]}" in str(done.exception)
    for text in ("조치: ", "이유: ", "원복: ", "계획 "):
        assert text in done.output
    assert "log_level" not in done.output  # commands are in `show`
    refusal(Invalid, *words, "--plan", before[1][:7])
    output("plan", "edit", claim.sr_id, "--reason", "x", "--set", "1.level=WARN", "--as", "pm")
    refusal(Stale, *words, *before)
    assert state(env, claim) is State.PENDING_APPROVAL
    output(*words, *named(env, claim.sr_id))
    assert state(env, claim) is State.APPROVED


@pytest.mark.slow
def test_where_a_passkey_is_demanded_the_command_leads_to_the_page(
    env: BoardEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUARDIA_PUBLIC_ORIGIN", "https://board.example.test")
    demand_passkeys(env)
    claim = waiting(env)
    words = (claim.sr_id, "--as", "lead", *named(env, claim.sr_id))
    done = invoke("approve", *words)
    assert isinstance(done.exception, PasskeyNeeded)
    assert f"https://board.example.test/issues/{claim.sr_id}" in str(done.exception)
    assert "조치: " in done.output
    output("reject", *words, "--reason", "아니오")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("choice", "after"),
    [
        (("--then", "manual"), State.MANUAL),
        (("--then", "again"), State.PARSED),
        (("--then", "later", "--after", "22:00"), State.APPROVED),
        (("--then", "close", "--message", "다음 분기에 진행합니다."), State.REJECTED),
    ],
)
def test_a_rejection_has_the_choices_of_the_page(
    env: BoardEnv, choice: tuple[str, ...], after: State
) -> None:
    claim = waiting(env)
    words = ("reject", claim.sr_id, "--as", "lead", *named(env, claim.sr_id))
    refusal(Invalid, *words, "--reason", "x", "--then", "never")
    output(*words, "--reason", "업무 시간", *choice)
    assert state(env, claim) is after


@pytest.mark.slow
def test_an_ended_issue_is_reopened(env: BoardEnv) -> None:
    claim = waiting(env)
    refusal(Refused, "reopen", claim.sr_id, "--as", "lead", "--reason", "그대로")
    plan_named = named(env, claim.sr_id)
    output("reject", claim.sr_id, "--as", "lead", *plan_named, "--reason", "x", "--then", "close")
    output("reopen", claim.sr_id, "--as", "lead", "--reason", "그대로")
    assert state(env, claim) is State.PARSED
    refusal(Invalid, "accept", claim.sr_id, "--as", "lead")


@pytest.mark.slow
def test_a_number_that_is_none(env: BoardEnv) -> None:
    for number in ("0", "SR-999", "1; drop", "9" * 30, "\uff19\uff19", HOSTILE):
        for words in (
            ("approve", number, "--as", "lead"),
            ("directive", number, "abort", "--as", "lead"),
            ("plan", "edit", number, "--as", "lead", "--reason", "x", "--remove", "1"),
            ("force", number, "MOF-DB-01", "service.restart", "--as", "pm", "--reason", "x"),
        ):
            refusal(GuardiaError, *words)
    assert rows(env, "select count(*) from tb_directive") == [(0,)]


# The kill switch -----------------------------------------------------------------------------


@pytest.mark.slow
def test_the_switch_is_turned_by_anyone_here_and_lifted_only_by_the_right_person(
    env: BoardEnv, tmp_path: Path
) -> None:
    claim = running(env)
    assert "1건" in output("kill", "--reason", HOSTILE)
    assert "이미" in output("kill", "--as", "eng", "--reason", "또")
    switch = kill_switch.active_kill_switch(env.board)
    assert switch is not None and switch.ordered_by.startswith("operator:")
    assert state(env, claim) is State.IN_PROGRESS
    for account in ("eng", "lead", "cus", "audit"):
        refusal(Forbidden, "release", "--as", account, "--reason", "끝")
    done = invoke("release", "--as", "pm", "--reason", "끝", env={"GUARDIA_PASSWORD": "틀림"})
    assert isinstance(done.exception, Forbidden)
    refusal(Invalid, "release", "--as", "pm", "--reason", " ")
    assert kill_switch.active_kill_switch(env.board) is not None
    output("release", "--as", "pm", "--reason", HOSTILE)
    assert kill_switch.active_kill_switch(env.board) is None
    refusal(Invalid, "release", "--as", "pm", "--reason", "또")
    assert kinds(env).count("killed") == kinds(env).count("released") == 1


@pytest.mark.slow
def test_who_may_not_stop_does_not_and_a_broken_key_store_does_not_hinder(
    env: BoardEnv, tmp_path: Path
) -> None:
    refusal(Forbidden, "kill", "--as", "cus", "--reason", "장난")
    refusal(Forbidden, "kill", "--as", "audit", "--reason", "장난")
    assert kill_switch.active_kill_switch(env.board) is None
    (tmp_path / "secrets.key").write_text("부서짐")
    (tmp_path / "secrets").chmod(0o755)
    output("kill", "--reason", "이상")
    assert kill_switch.active_kill_switch(env.board) is not None


# Orders --------------------------------------------------------------------------------------

ORDERS: dict[str, tuple[Callable[[BoardEnv], Claim], tuple[str, ...], str, str]] = {
    # verb: where it may be given, its argument, who may, and what then is so
    "abort": (waiting, (), "eng", "status = 'ABORTED'"),
    "pause": (waiting, (), "eng", "paused"),
    "resume": (paused, (), "eng", "not paused"),
    "manual": (running, (), "eng", "status = 'MANUAL'"),
    "return": (manual, (), "eng", "status = 'PARSED'"),
    "complete": (manual, (), "eng", "status = 'COMPLETED'"),
    "rollback": (completed, (), "lead", "status = 'COMPLETED'"),
    "reassign": (manual, ("was-agent",), "eng", "agent_id = 'was-agent'"),
    "priority": (running, ("p1",), "eng", "status = 'IN_PROGRESS'"),
    "reopen": (aborted, (), "eng", "status = 'PARSED'"),
    "reanalyze": (waiting, (), "eng", "status = 'PARSED'"),
    "override": (queued, (), "lead", "exists (select from tb_server_wait where holder_id is null)"),
}
NOT_YET: dict[str, Callable[[BoardEnv], Claim]] = {
    "abort": completed,
    "pause": manual,
    "resume": waiting,
    "manual": completed,
    "return": waiting,
    "complete": waiting,
    "rollback": waiting,
    "reassign": running,
    "priority": completed,
    "reopen": waiting,
    "reanalyze": completed,
    "override": waiting,
}


def test_every_order_is_tested_here() -> None:
    from guardia.board.control.directive_handlers import VERBS

    assert set(ORDERS) == set(NOT_YET) == set(VERBS)


@pytest.mark.slow
@pytest.mark.parametrize("verb", ORDERS)
def test_an_order(env: BoardEnv, verb: str) -> None:
    begin, argument, person, then = ORDERS[verb]
    claim = begin(env)
    before = rows(env, "select count(*) from tb_directive")
    words = ("directive", f"SR-{claim.sr_id}", verb, *argument)
    refusal(Forbidden, *words, "--as", "cus", "--reason", "장난")
    if person != "eng":
        refusal(Forbidden, *words, "--as", "eng", "--reason", "권한 없음")
    done = invoke(*words, "--as", person, env={"GUARDIA_PASSWORD": "틀림"})
    assert isinstance(done.exception, Forbidden)
    assert rows(env, "select count(*) from tb_directive") == before
    output(*words, "--as", person, "--reason", HOSTILE)
    assert rows(env, f"select {then} from tb_ops_task") == [(True,)]
    assert kinds(env)[-1] == "ordered"
    [(kept,)] = rows(env, f"select reason from tb_directive where verb = '{verb}'")
    assert "drop table" in kept and "\x1b" not in kept


@pytest.mark.slow
def test_orders_that_a_state_does_not_know(env: BoardEnv) -> None:
    # Work in progress comes last: the others could not start beside it on the same server.
    for begin in sorted({*NOT_YET.values()}, key=lambda begin: begin is running):
        claim = begin(env)
        before = kinds(env)
        for verb in (verb for verb, where in NOT_YET.items() if where is begin):
            refusal(Invalid, "directive", claim.sr_id, verb, "--as", "lead", "--reason", "x")
        assert kinds(env) == before
        with psycopg.connect(env.dsn) as connection:  # so that no agent claims it again
            connection.execute("update tb_ops_task set paused = true")


@pytest.mark.slow
def test_words_that_are_no_order_and_assignees_that_are_none(env: BoardEnv) -> None:
    claim = manual(env)
    before = kinds(env)
    for verb in ("", "explode", "change", "force", "kill", HOSTILE):
        refusal(Invalid, "directive", claim.sr_id, verb, "--as", "lead")
    for argument in ("nobody", "dispatcher", "", HOSTILE):
        refusal(Invalid, "directive", claim.sr_id, "reassign", "--as", "lead", "--", argument)
    assert kinds(env) == before


# People's plans ------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_plan_is_shown_and_edited_and_the_editor_does_not_approve(env: BoardEnv) -> None:
    claim = waiting(env)
    assert "level=INFO" in output("plan", "show", claim.sr_id)
    edit = ("plan", "edit", claim.sr_id, "--reason", HOSTILE, "--set", "1.level=WARN")
    refusal(Forbidden, *edit, "--as", "cus")
    output(*edit, "--add", "service.restart service=budgetdb", "--as", "lead")
    found = view.plan_state(env.board, claim.task_id).plan
    assert found is not None and [a.call.tool for a in found.actions] == [
        "service.set_log_level",
        "service.restart",
    ]
    assert found.actions[0].call.args["level"] == "WARN"
    refusal(Forbidden, "approve", claim.sr_id, "--as", "lead", *named(env, claim.sr_id))
    output("approve", claim.sr_id, "--as", "lead2", *named(env, claim.sr_id))
    assert state(env, claim) is State.APPROVED


EDITS: list[tuple[tuple[str, ...], type[GuardiaError]]] = [
    (("--set", "1.level=LOUD"), Invalid),
    (("--set", "1.nothing=x"), Invalid),
    (("--set", "9.level=WARN"), Invalid),
    (("--set", "level=WARN"), Invalid),
    (("--set", f"1.service={HOSTILE}"), Invalid),
    (("--remove", "2"), Invalid),
    (("--remove", "1"), Invalid),
    (("--add", "service.explode x=1"), Refused),
    (("--add", "service.restart service"), Invalid),
    (("--add", ""), Refused),
    (("--task", "99", "--remove", "1"), Invalid),
    ((), Invalid),
]


@pytest.mark.slow
def test_an_edit_that_does_not_hold_changes_nothing(env: BoardEnv) -> None:
    claim = waiting(env)
    before = kinds(env)
    for words, fault in EDITS:
        refusal(fault, "plan", "edit", claim.sr_id, "--as", "pm", "--reason", "고침", *words)
    assert kinds(env) == before


@pytest.mark.slow
def test_what_is_over_has_no_plan_to_edit(env: BoardEnv) -> None:
    claim = completed(env)
    refusal(Invalid, "plan", "show", claim.sr_id)
    refusal(
        Invalid, "plan", "edit", claim.sr_id, "--as", "pm", "--reason", "x", "--set", "1.level=WARN"
    )


@pytest.mark.slow
def test_a_forced_action(env: BoardEnv) -> None:
    sr_id = env.create_issue()
    words = ("force", f"SR-{sr_id}", "MOF-DB-01", "service.restart", "service=budgetdb")
    for account in ("cus", "eng", "audit"):
        refusal(Forbidden, *words, "--as", account, "--reason", "x")
    refusal(Invalid, *words, "--as", "pm", "--reason", " ")
    refusal(NotFound, *words[:2], "x", *words[3:], "--as", "pm", "--reason", "x")
    refusal(Invalid, *words, "--as", "pm", "--reason", "x", "level")
    refusal(Refused, *words[:3], HOSTILE, "--as", "pm", "--reason", "x")
    assert rows(env, "select count(*) from tb_directive") == [(0,)]
    output(*words, "--as", "pm", "--reason", HOSTILE)
    assert rows(
        env, "select category, status, plan_author from tb_ops_task where plan is not null"
    ) == [("FORCED", "PENDING_APPROVAL", "person:pm")]
    refusal(Forbidden, "approve", sr_id, "--as", "pm", *named(env, sr_id))
    for account in ("lead", "officer"):
        output("approve", sr_id, "--as", account, *named(env, sr_id))
    assert rows(env, "select status from tb_ops_task where plan is not null") == [("APPROVED",)]


@pytest.mark.slow
def test_a_change_while_it_runs_waits_for_its_agent(env: BoardEnv) -> None:
    claim = running(env)
    output("plan", "edit", claim.sr_id, "--as", "pm", "--reason", "고침", "--set", "1.level=WARN")
    assert rows(env, "select verb, state from tb_directive") == [("change", "UNDOING")]
    refusal(
        IllegalMove,
        *("plan", "edit", claim.sr_id, "--as", "pm", "--reason", "x", "--set", "1.level=ERROR"),
    )
