from __future__ import annotations

import psycopg
import pytest
from board_env import LEAD, TERMINATE, BoardEnv
from stored_texts import unclean_texts

from guardia.board.approvals import decisions
from guardia.board.audit import log
from guardia.board.core.claims import Claim, Grant
from guardia.board.core.plan import ToolCall
from guardia.board.execution import commands, grants, tasks
from guardia.board.execution.commands import CommandResult, PlanStep
from guardia.board.integrity import output_check
from guardia.errors import Refused, Stale

READ = ToolCall(tool="database.locks", args={"service": "budgetdb"})
DO = PlanStep(0, "do")
GOOD = CommandResult(True, {"waiting": 3, "seconds": 1.5}, "출력", 12)


def started(env: BoardEnv) -> tuple[Claim, Grant]:
    claim, _, bound = env.create_filed_plan()
    decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=bound)
    again = env.claim("db-agent")
    return again, tasks.begin_execution(env.board, again)


def kinds(env: BoardEnv) -> list[str]:
    with env.board.database.reading() as session:
        assert log.verify_all(session).intact
        return [link.kind for link in log.entries(session)]


def test_a_read_leaves_intent_result_and_evidence(env: BoardEnv) -> None:
    claim = env.create_parsed_task()
    intent = commands.record_intent(env.board, grants.grant_reads(env.board, claim), READ, "psql …")
    commands.record_result(env.board, intent, GOOD)
    assert kinds(env)[-2:] == ["intent", "result"]
    with psycopg.connect(env.dsn) as connection:
        found = connection.execute("select findings from tb_evidence").fetchone()
    assert found == ({"waiting": 3, "seconds": "1.5"},)


@pytest.mark.slow
def test_a_hostile_servers_output_is_stored_as_it_was_hashed(env: BoardEnv) -> None:
    hostile = "각\u202e가\x00\x1b[31m\ud800"
    claim = env.create_parsed_task()
    intent = commands.record_intent(env.board, grants.grant_reads(env.board, claim), READ, hostile)
    found = {hostile: [hostile, 1.5], "a": 1, "a\x00": 2}
    commands.record_result(env.board, intent, CommandResult(True, found, hostile, 12))
    with env.board.database.reading() as session:
        assert output_check.first_altered(session) is None
    assert unclean_texts(env.dsn) == []


def test_a_change_is_attempted_once_only(env: BoardEnv) -> None:
    claim, grant = started(env)
    intent = commands.record_intent(env.board, grant, TERMINATE, "psql …", DO)
    with pytest.raises(Refused, match="이미"):
        commands.record_intent(env.board, grant, TERMINATE, "psql …", DO)
    commands.record_result(env.board, intent, GOOD)
    assert grant.plan_hash is not None
    assert commands.attempted_actions(env.board, claim, grant.plan_hash) == {(0, "do"): "DONE"}
    with pytest.raises(Refused, match="이미"):
        commands.record_intent(env.board, grant, TERMINATE, "psql …", DO)


def test_an_attempt_that_never_started_has_changed_nothing(env: BoardEnv) -> None:
    claim, grant = started(env)
    intent = commands.record_intent(env.board, grant, TERMINATE, "psql …", DO)
    refused = CommandResult(False, {}, "연결이 거부되었습니다", 0, started=False)
    commands.record_result(env.board, intent, refused)

    assert grant.plan_hash is not None
    states = commands.attempted_actions(env.board, claim, grant.plan_hash)
    assert states == {(0, "do"): "NOT_STARTED"}
    assert not commands.may_have_changed(states[0, "do"])
    assert commands.may_have_changed("FAILED") and commands.may_have_changed("UNKNOWN")
    with pytest.raises(Refused, match="이미"):
        commands.record_intent(env.board, grant, TERMINATE, "psql …", DO)


def test_a_call_that_is_not_the_plans_is_refused(env: BoardEnv) -> None:
    _, grant = started(env)
    other = ToolCall(tool=TERMINATE.tool, args={**TERMINATE.args, "pid": 8})
    with pytest.raises(Refused, match="다릅니다"):
        commands.record_intent(env.board, grant, other, "psql …", DO)


def test_a_read_grant_permits_no_change(env: BoardEnv) -> None:
    claim, _ = started(env)
    with pytest.raises(Refused):
        commands.record_intent(
            env.board, grants.grant_reads(env.board, claim), TERMINATE, "psql …", DO
        )


def test_a_forged_grant_permits_nothing(env: BoardEnv) -> None:
    claim, _, bound = env.create_filed_plan()
    forged = Grant(claim, "MOF-DB-01", "DESTRUCTIVE", bound)
    with pytest.raises(Refused):
        commands.record_intent(env.board, forged, TERMINATE, "psql …", DO)
    elsewhere = Grant(claim, "MOF-WAS-01", "READ_ONLY", None)
    with pytest.raises(Refused):
        commands.record_intent(env.board, elsewhere, READ, "psql …")


def test_a_stale_claim_sends_no_command_but_its_results_are_recorded(
    env: BoardEnv,
) -> None:
    _, grant = started(env)
    intent = commands.record_intent(env.board, grant, TERMINATE, "psql …", DO)
    env.claim("db-agent")
    with pytest.raises(Stale):
        commands.record_intent(env.board, grant, READ, "psql …")
    commands.record_result(env.board, intent, GOOD)
    assert kinds(env)[-1] == "result"


def test_an_intent_without_a_result_is_resolved_by_reading_the_server(env: BoardEnv) -> None:
    _, grant = started(env)
    commands.record_intent(env.board, grant, TERMINATE, "psql …", DO)
    again = env.claim("db-agent")
    taken_over = grants.resume_execution(env.board, again)
    assert taken_over.plan_hash is not None
    assert commands.attempted_actions(env.board, again, taken_over.plan_hash) == {
        (0, "do"): "INTENT"
    }
    commands.resolve_unknown(env.board, taken_over, DO, happened=True)
    assert commands.attempted_actions(env.board, again, taken_over.plan_hash) == {(0, "do"): "DONE"}
    assert kinds(env)[-1] == "found_done"
