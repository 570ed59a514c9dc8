"""Start and takeover of an execution, and the grant of one that has started."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest
from audit_env import AuditEnv
from board_env import TERMINATE, BoardEnv

from guardia.board.audit import log
from guardia.board.audit.checkpoint import Checkpoint
from guardia.board.core.claims import Claim
from guardia.board.core.context import BoardContext
from guardia.board.execution import commands, grants, tasks
from guardia.board.execution.commands import PlanStep
from guardia.board.integrity.notary import Notary
from guardia.errors import Forged, IllegalMove, Refused, Stale


class DyingNotary(Notary):
    """A notary of a worker that crashes before it signs."""

    def sign(self, _board: BoardContext) -> Checkpoint | None:
        raise SystemExit


def signed_sizes(audit_env: AuditEnv) -> list[int]:
    with audit_env.board.database.reading() as session:
        return [c.size for c in log.checkpoints(session)]


def newest_covered(audit_env: AuditEnv) -> str:
    """Return the kind of the newest entry that a checkpoint covers."""
    with audit_env.board.database.reading() as session:
        last = log.last_checkpoint(session)
        entry = log.entry_at(session, last.size) if last else None
    assert entry is not None
    return entry.kind


def forge_decision(env: BoardEnv) -> None:
    """Put another person's name on a decision, directly in the table."""
    with psycopg.connect(env.dsn) as connection:
        connection.execute("update tb_decision set person_id = 'lead2'")


@pytest.mark.slow
def test_the_grant_of_a_started_execution_is_read_without_signing(audit_env: AuditEnv) -> None:
    claim = audit_env.approved()
    grant = tasks.begin_execution(audit_env.board, claim)
    audit_env.write(1)
    before = signed_sizes(audit_env), audit_env.size()
    assert grants.execution_grant(audit_env.board, claim) == grant
    assert (signed_sizes(audit_env), audit_env.size()) == before


def test_a_started_execution_is_not_started_again(audit_env: AuditEnv) -> None:
    claim = audit_env.approved()
    tasks.begin_execution(audit_env.board, claim)
    before = audit_env.size()
    with pytest.raises(IllegalMove):
        tasks.begin_execution(audit_env.board, claim)
    assert audit_env.size() == before


@pytest.mark.parametrize("enter", [grants.execution_grant, grants.resume_execution])
def test_an_execution_that_has_not_started_gives_no_grant(env: BoardEnv, enter: object) -> None:
    claim, _, _ = env.create_filed_plan()
    with pytest.raises(Refused):
        enter(env.board, claim)  # type: ignore[operator]


@pytest.mark.parametrize("enter", [grants.execution_grant, grants.resume_execution])
@pytest.mark.slow
def test_an_approved_task_must_be_started_first(audit_env: AuditEnv, enter: object) -> None:
    claim = audit_env.approved()
    with pytest.raises(Refused):
        enter(audit_env.board, claim)  # type: ignore[operator]


@pytest.mark.parametrize("enter", [grants.execution_grant, grants.resume_execution])
@pytest.mark.slow
def test_only_the_current_claim_gets_the_grant(audit_env: AuditEnv, enter: object) -> None:
    first: Claim = audit_env.approved()
    tasks.begin_execution(audit_env.board, first)
    audit_env.env.claim("db-agent")
    with pytest.raises(Stale):
        enter(audit_env.board, first)  # type: ignore[operator]


@pytest.mark.slow
def test_a_takeover_signs_the_checkpoint_that_a_crashed_worker_missed(audit_env: AuditEnv) -> None:
    claim = audit_env.approved()
    with pytest.raises(SystemExit):
        tasks.begin_execution(
            replace(audit_env.board, notary=DyingNotary(audit_env.witness_files)), claim
        )
    assert newest_covered(audit_env) != "started"
    again = audit_env.env.claim("db-agent")
    grant = grants.resume_execution(audit_env.board, again)
    assert newest_covered(audit_env) == "started"
    commands.record_intent(audit_env.board, grant, TERMINATE, "psql …", PlanStep(0, "do"))


@pytest.mark.slow
def test_a_forged_decision_is_refused_at_a_takeover_and_before_each_change(
    audit_env: AuditEnv,
) -> None:
    claim = audit_env.approved()
    tasks.begin_execution(audit_env.board, claim)
    forge_decision(audit_env.env)
    with pytest.raises(Forged):
        grants.resume_execution(audit_env.board, claim)
    # The grant alone neither proves nor permits anything.
    grant = grants.execution_grant(audit_env.board, claim)
    with pytest.raises(Forged):
        commands.record_intent(audit_env.board, grant, TERMINATE, "psql …", PlanStep(0, "do"))


@pytest.mark.slow
def test_approvals_missing_from_the_tables_give_no_grant(audit_env: AuditEnv) -> None:
    claim = audit_env.approved()
    tasks.begin_execution(audit_env.board, claim)
    with psycopg.connect(audit_env.env.dsn) as connection:
        connection.execute("update tb_approval set state = 'VOID'")
    with pytest.raises(Refused):
        grants.execution_grant(audit_env.board, claim)
