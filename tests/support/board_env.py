"""A seeded board for tests: the shipped chart with a fixed set of people and servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from signing_env import SilentNotary, ephemeral_signer

from guardia.board.control import directives
from guardia.board.core.actors import Actor
from guardia.board.core.claims import Claim
from guardia.board.core.context import BoardContext
from guardia.board.core.plan import Action, Check, Citation, Plan, Risk, ToolCall
from guardia.board.execution import assignments, tasks, view
from guardia.board.execution.assignments import Assignment
from guardia.board.issues import receiving
from guardia.board.organization import chart as organization_chart
from guardia.board.runs import beats
from guardia.db.engine import Database
from guardia.org import chart
from guardia.org.directory import (
    Directory,
    Host,
    InstitutionInfo,
    OwnerInfo,
    PersonInfo,
    Service,
)
from guardia.tools.catalog_planner import CatalogPlanner

LEAD = PersonInfo(id="lead", name="정다은", title="팀장", role="team_lead")
LEAD2 = PersonInfo(id="lead2", name="구본석", title="팀장", role="team_lead")
PM = PersonInfo(id="pm", name="최현우", title="PM", role="pm")
OFFICER = PersonInfo(id="officer", name="한지민", title="보안책임자", role="security_officer")
ENGINEER = PersonInfo(id="eng", name="김철수", title="대리", role="engineer", skills=("DB",))
CUSTOMER = PersonInfo(id="cus", name="장하늘", title="주무관", role="customer", institution="MOF")
PEOPLE = (LEAD, LEAD2, PM, OFFICER, ENGINEER, CUSTOMER)
SERVER = Host(
    server_id="MOF-DB-01",
    institution="MOF",
    kind="DB",
    services=(Service(name="budgetdb", kind="postgresql", port=5432, database="budget"),),
)
SECOND_SERVER = Host(server_id="MOF-WAS-01", institution="MOF", kind="WAS")
OWNERS = (OwnerInfo(person="eng", server="MOF-DB-01", skill="DB", proficiency=5),)
TERMINATE = ToolCall(
    tool="database.terminate_session",
    args={"service": "budgetdb", "pid": 7, "backend_start": "2026-11-20 05:00:00+00"},
)


@dataclass
class BoardEnv:
    """The board with shortcuts that bring a task to the state where a test begins."""

    board: BoardContext
    dsn: str

    def create_issue(self, **more: str) -> int:
        """Create an issue and return its number."""
        words = {"text": "운영DB가 느려요", "channel": "web", "sender": "장하늘", "room": "방"}
        return receiving.receive_issue(self.board, receiving.NewIssue(**{**words, **more}))

    def claim(self, agent: str) -> Claim:
        """Return what the agent's next beat claims."""
        begun = beats.begin(self.board, agent)
        assert begun is not None
        found = beats.claim_task(self.board, begun)
        assert found is not None
        return found

    def create_parsed_task(self, *servers: str) -> Claim:
        """Return the DB specialist's claim on a new PARSED task."""
        self.create_issue()
        assignments.file_triage(
            self.board, self.claim("dispatcher"), assignment(*(servers or ("MOF-DB-01",)))
        )
        return self.claim("db-agent")

    def create_filed_plan(self, given: Plan | None = None) -> tuple[Claim, Plan, str]:
        """Create a task with a filed plan; return claim, plan and plan hash."""
        claim = self.create_parsed_task()
        filed = given or plan()
        tasks.file_plan(self.board, claim, filed)
        return claim, filed, tasks.plan_hash(claim.task_id, filed)


def replace_plan(board: BoardContext, task_id: int, given: Plan, author: PersonInfo) -> None:
    """Replace a filed or approved plan by a person's plan."""
    seen = view.plan_state(board, task_id).plan_hash or ""
    directives.issue_directive(
        board, author, task_id, directives.DirectiveRequest("change", "고침", seen, given)
    )


def assignment(*servers: str) -> Assignment:
    """Return a triage result for the DB specialist."""
    return Assignment(
        kind="INCIDENT",
        category="DB",
        priority="P2",
        institution="MOF",
        servers=servers,
        action_type=None,
        agent_id="db-agent",
        engineer_id="eng",
        reasons=("'느려요' → 성능 저하",),
    )


def plan(category: str = "MAINTENANCE", *actions: Action) -> Plan:
    """Return a plan for the database server."""
    return Plan(
        server="MOF-DB-01",
        category=category,
        because="세션 7이 잠금을 쥐고 있습니다.",
        citation=Citation(document="d", title="잠금", version=1, sha256="0", passage="절차"),
        actions=actions or (action(),),
        verify=(
            Check(
                call=ToolCall(tool="database.locks", args={"service": "budgetdb"}),
                expect="waiting == `0`",
                within=5,
            ),
        ),
    )


def action() -> Action:
    """Return one irreversible change."""
    return Action(
        call=TERMINATE,
        risk=Risk.CHANGE,
        effect="세션 7을 끝냅니다.",
        command="psql …",
        irreversible="원복 불가",
    )


@contextmanager
def seeded_env(dsn: str) -> Iterator[BoardEnv]:
    """Open the board over `dsn`; apply the shipped chart, enrol people and servers."""
    with open_env(dsn) as env:
        organization_chart.apply_chart(
            env.board, chart.shipped_chart_path().read_text("utf-8"), Actor.operator("test")
        )
        organization_chart.import_directory(
            env.board,
            Directory(
                institutions=(InstitutionInfo(id="MOF", name="기획재정부"),),
                servers=(SERVER, SECOND_SERVER),
                people=PEOPLE,
                owners=OWNERS,
            ),
            {},
        )
        yield env


@contextmanager
def open_env(dsn: str) -> Iterator[BoardEnv]:
    """Open the board over a database that is already seeded."""
    connected = Database(dsn, pool_size=4)
    with TemporaryDirectory(prefix="guardia-test-") as folder:
        board = BoardContext(
            connected,
            decision_signer=ephemeral_signer(),
            notary=SilentNotary(Path(folder)),
            planner=CatalogPlanner(),
        )
        try:
            yield BoardEnv(board, dsn)
        finally:
            connected.close()
