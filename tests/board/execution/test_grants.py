"""Beginning an execution, taking it over, and reading the grant of one that has begun."""

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
    """A worker that dies before it has signed."""

    def sign(self, _board: BoardContext) -> Checkpoint | None:
        raise SystemExit


def signed_sizes(sealed: AuditEnv) -> list[int]:
    with sealed.board.database.reading() as session:
        return [c.size for c in log.checkpoints(session)]


def newest_covered(sealed: AuditEnv) -> str:
    """Kind of the newest entry that a checkpoint covers."""
    with sealed.board.database.reading() as session:
        last = log.last_checkpoint(session)
        entry = log.entry_at(session, last.size) if last else None
    assert entry is not None
    return entry.kind


def forge_decision(env: BoardEnv) -> None:
    """Another person's name on a decision, past the board."""
    with psycopg.connect(env.dsn) as connection:
        connection.execute("update tb_decision set person_id = 'lead2'")


def test_the_grant_of_what_has_begun_is_read_and_nothing_is_signed(sealed: AuditEnv) -> None:
    claim = sealed.approved()
    begun = tasks.begin_execution(sealed.board, claim)
    sealed.write(1)
    before = signed_sizes(sealed), sealed.size()
    assert grants.execution_grant(sealed.board, claim) == begun
    assert (signed_sizes(sealed), sealed.size()) == before


def test_what_has_begun_is_not_begun_again(sealed: AuditEnv) -> None:
    claim = sealed.approved()
    tasks.begin_execution(sealed.board, claim)
    before = sealed.size()
    with pytest.raises(IllegalMove):
        tasks.begin_execution(sealed.board, claim)
    assert sealed.size() == before


@pytest.mark.parametrize("enter", [grants.execution_grant, grants.resume_execution])
def test_what_has_not_begun_gives_no_grant(env: BoardEnv, enter: object) -> None:
    claim, _, _ = env.create_filed_plan()
    with pytest.raises(Refused):
        enter(env.board, claim)  # type: ignore[operator]


@pytest.mark.parametrize("enter", [grants.execution_grant, grants.resume_execution])
def test_an_approved_task_is_begun_first(sealed: AuditEnv, enter: object) -> None:
    claim = sealed.approved()
    with pytest.raises(Refused):
        enter(sealed.board, claim)  # type: ignore[operator]


@pytest.mark.parametrize("enter", [grants.execution_grant, grants.resume_execution])
def test_only_the_present_claim_gets_the_grant(sealed: AuditEnv, enter: object) -> None:
    first: Claim = sealed.approved()
    tasks.begin_execution(sealed.board, first)
    sealed.env.claim("db-agent")
    with pytest.raises(Stale):
        enter(sealed.board, first)  # type: ignore[operator]


def test_who_takes_over_signs_what_a_dead_worker_has_not(sealed: AuditEnv) -> None:
    claim = sealed.approved()
    with pytest.raises(SystemExit):
        tasks.begin_execution(
            replace(sealed.board, notary=DyingNotary(sealed.witness_files)), claim
        )
    assert newest_covered(sealed) != "started"
    again = sealed.env.claim("db-agent")
    grant = grants.resume_execution(sealed.board, again)
    assert newest_covered(sealed) == "started"
    commands.record_intent(sealed.board, grant, TERMINATE, "psql …", PlanStep(0, "do"))


def test_a_forged_decision_is_refused_at_a_takeover_and_before_each_change(
    sealed: AuditEnv,
) -> None:
    claim = sealed.approved()
    tasks.begin_execution(sealed.board, claim)
    forge_decision(sealed.env)
    with pytest.raises(Forged):
        grants.resume_execution(sealed.board, claim)
    # The grant itself proves nothing, and opens nothing.
    grant = grants.execution_grant(sealed.board, claim)
    with pytest.raises(Forged):
        commands.record_intent(sealed.board, grant, TERMINATE, "psql …", PlanStep(0, "do"))


def test_approvals_that_are_gone_from_the_tables_give_no_grant(sealed: AuditEnv) -> None:
    claim = sealed.approved()
    tasks.begin_execution(sealed.board, claim)
    with psycopg.connect(sealed.env.dsn) as connection:
        connection.execute("update tb_approval set state = 'VOID'")
    with pytest.raises(Refused):
        grants.execution_grant(sealed.board, claim)
