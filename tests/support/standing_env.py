"""Standing approvals in tests: a runbook that succeeds, its proposal, and its approval."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from autonomy_env import apply_autonomy, reversible_plan, run_action
from board_env import LEAD, PEOPLE, BoardEnv
from sqlalchemy import select

from guardia.board.approvals import decisions as plan_decisions
from guardia.board.core.claims import Claim
from guardia.board.core.plan import Citation, Plan
from guardia.board.execution import tasks, view
from guardia.board.organization import chart as organization_chart
from guardia.board.standing import decisions, proofs
from guardia.board.standing.lifecycle import StandingState
from guardia.board.standing.model import StandingApproval
from guardia.board.standing.policy import Limits, Terms
from guardia.org.directory import Directory, PersonInfo

ADMIN = PersonInfo(id="adm", name="윤서준", title="부장", role="admin")
ACT = "[{category: MAINTENANCE, mode: act}]"
RULES = "standing: {successes: 2, per_day: 3, longest: 30d}\n"


def routine_plan(version: int = 1, document: str = "log-level") -> Plan:
    """Return the plan of a runbook that can be a standard change."""
    cited = Citation(
        document=document, title="로그 수준", version=version, sha256=f"s{version}", passage="절차"
    )
    return reversible_plan().model_copy(update={"citation": cited})


def prepare(env: BoardEnv, autonomy: str = ACT, rules: str = RULES) -> None:
    """Apply a chart that lets routines earn standing approvals."""
    organization_chart.import_directory(env.board, Directory(people=(*PEOPLE, ADMIN)), {})
    apply_autonomy(env, autonomy, rules)


def file(env: BoardEnv, given: Plan | None = None) -> Claim:
    """File a plan for a new task."""
    claim = env.create_parsed_task()
    tasks.file_plan(env.board, claim, given or routine_plan())
    return claim


def start(env: BoardEnv, given: Plan | None = None) -> Claim:
    """File a plan, approve it if people must, and start it."""
    claim = file(env, given)
    if view.task(env.board, claim.task_id).state == "PENDING_APPROVAL":
        bound = view.plan_state(env.board, claim.task_id).plan_hash or ""
        plan_decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=bound)
        claim = env.claim("db-agent")
    tasks.begin_execution(env.board, claim)
    return claim


def succeed(env: BoardEnv, given: Plan | None = None) -> Claim:
    """Carry out a plan to its verified end."""
    wanted = given or routine_plan()
    claim = start(env, wanted)
    run_action(env, claim, wanted)
    tasks.complete(env.board, claim, "끝")
    return claim


def rows(env: BoardEnv) -> list[StandingApproval]:
    """Return all standing approvals."""
    with env.board.database.reading() as session:
        return list(
            session.scalars(select(StandingApproval).order_by(StandingApproval.standing_id))
        )


def terms_of(env: BoardEnv, number: int) -> Terms:
    """Return the terms as the audit log proves them."""
    with env.board.database.reading() as session:
        found = proofs.read(session, number)
        assert found is not None
        return found.terms


def propose(env: BoardEnv) -> int:
    """Let the routine earn a proposal; return its number."""
    prepare(env)
    succeed(env)
    succeed(env)
    return rows(env)[-1].standing_id


def all_day(per_day: int = 3, days: int = 10) -> Limits:
    """Return limits without hours."""
    return Limits(per_day, time(0), time(0), datetime.now(UTC) + timedelta(days=days))


def approve(env: BoardEnv, number: int, limits: Limits | None = None) -> StandingState:
    """Set the limits of a proposal and let everyone approve it."""
    bound = terms_of(env, number).hash
    bound = decisions.set_limits(env.board, LEAD, number, limits or all_day(), bound)
    decisions.approve(env.board, LEAD, number, bound)
    return decisions.approve(env.board, ADMIN, number, bound)


def in_force(env: BoardEnv, limits: Limits | None = None) -> int:
    """Return a standing approval that is in force."""
    number = propose(env)
    assert approve(env, number, limits) is StandingState.APPROVED
    return number
