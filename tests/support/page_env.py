"""The board's pages over a seeded board: more people, a realistic plan, a server on a free port."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from argon2 import PasswordHasher
from board_env import SERVER, BoardEnv, assignment
from fastapi import FastAPI
from sqlalchemy import update
from starlette.testclient import TestClient
from waiting import PATIENCE, wait_until

from guardia.board.core.claims import Claim
from guardia.board.core.context import BoardContext
from guardia.board.core.plan import Action, Check, Citation, Plan, Risk, ToolCall
from guardia.board.execution import assignments, commands, grants, tasks
from guardia.board.execution.commands import CommandResult
from guardia.board.runs import beats
from guardia.board.site.app import create_app
from guardia.board.site.server import BoardServer
from guardia.org import registry
from guardia.org.directory import Directory, Host, InstitutionInfo, PersonInfo
from guardia.org.model import Person
from guardia.settings import Settings

PASSWORD = "맞는-암호-1234"
# The product's parameters take a tenth of a second by design, which would slow down the tests.
_HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)

ADMIN = PersonInfo(id="admin", name="윤서준", title="부장", role="admin")
AUDITOR = PersonInfo(id="audit", name="백서윤", title="감사인", role="auditor")
OTHER_CUSTOMER = PersonInfo(
    id="cus2", name="서지호", title="사무관", role="customer", institution="MOE"
)
CUSTOMER_WITHOUT_INSTITUTION = PersonInfo(id="cus3", name="무소속", title="주무관", role="customer")
_MORE_PEOPLE = (ADMIN, AUDITOR, OTHER_CUSTOMER, CUSTOMER_WITHOUT_INSTITUTION)
_SERVICE = {"service": "budgetdb"}
_LOCKS = ToolCall(tool="database.locks", args=_SERVICE)
_SESSION = {**_SERVICE, "pid": 4711, "backend_start": "2026-11-20 05:00:00+00"}
_TOGGLE = ToolCall(
    tool="service.set_log_level", args={**_SERVICE, "level": "INFO", "previous": "DEBUG"}
)
LOCK_FINDINGS = {
    "waiting": 2,
    "roots": [
        {
            "pid": 4711,
            "backend_start": "2026-11-20 05:00:00+00",
            "state": "idle in transaction",
            "user": "batch",
            "application": "budget-closing",
            "xact_seconds": 1843,
            "query": "update budget_item set amount = amount + 1 where budget_id = 20261120 and "
            "institution_code = 'MOF' and closed_at is null",
            "blocked": 2,
        }
    ],
    "waiters": [
        {"pid": 4720, "blocked_by": [4711], "seconds": 611, "query": "select … for update"},
        {"pid": 4733, "blocked_by": [4711, 4720], "seconds": 95, "query": "update budget_item …"},
    ],
}


def realistic_plan(category: str = "MAINTENANCE") -> Plan:
    """Return a plan with everything that a page can show."""
    free = Check(call=_LOCKS, expect="waiting == `0`", within=10)
    return Plan(
        server=SERVER.server_id,
        category=category,
        because="세션 4711(batch)이 트랜잭션을 연 채 30분째 쉬고 있어, "
        "세션 2개가 그 잠금을 기다립니다.",
        citation=Citation(
            document="db-lock-chain",
            title="잠금 대기 해소",
            version=3,
            sha256="8c1f" + "0" * 60,
            passage="적용 대상\n"
            "- 조회가 **갑자기** 느려지고\n- `idle in transaction` 세션이 있을 때",
        ),
        actions=(
            Action(
                call=ToolCall(tool="database.terminate_session", args=_SESSION),
                risk=Risk.CHANGE,
                effect="MOF-DB-01의 budgetdb DB에서 잠금을 점유한 세션 4711을 종료합니다.",
                command="PGPASSWORD=•••••• psql -X -h 127.0.0.1 -p 5432 -d budget -c "
                "'select pg_terminate_backend(pid) from pg_stat_activity where pid = 4711'",
                precheck=(Check(call=_LOCKS, expect="length(roots[?pid==`4711`]) > `0`"),),
                verify=(
                    Check(
                        call=ToolCall(tool="database.session", args=_SESSION),
                        expect="!present",
                        within=10,
                    ),
                ),
                irreversible="종료한 세션은 복구할 수 없습니다. 클라이언트가 다시 접속합니다.",
            ),
            Action(
                call=_TOGGLE,
                risk=Risk.CHANGE,
                effect="budgetdb의 로그 수준을 DEBUG에서 INFO로 바꿉니다.",
                command="printf INFO > /home/svc/srv/budgetdb/conf/log_level",
                undo=ToolCall(
                    tool="service.set_log_level",
                    args={**_SERVICE, "level": "DEBUG", "previous": "INFO"},
                ),
                undo_verify=(
                    Check(
                        call=ToolCall(tool="service.log_level", args=_SERVICE),
                        expect="level=='DEBUG'",
                    ),
                ),
            ),
        ),
        verify=(free,),
    )


def enrol_page_users(env: BoardEnv) -> None:
    """Enrol a second institution and the missing roles, and set everyone's password."""
    other = Host(server_id="MOE-DB-01", institution="MOE", kind="DB")
    with env.board.database.transaction() as session:
        registry.enrol(
            session,
            Directory(
                institutions=(InstitutionInfo(id="MOE", name="교육부"),),
                servers=(other,),
                people=_MORE_PEOPLE,
            ),
        )
        session.execute(update(Person).values(password_hash=_HASH))


@dataclass
class IssueScenario:
    """An issue that is moved step by step as the agents would move it."""

    env: BoardEnv
    sr_id: int = 0
    claim: Claim = field(init=False)
    plan: Plan = field(default_factory=realistic_plan)

    @property
    def plan_hash(self) -> str:
        """Hash that an approval of the filed plan names."""
        return tasks.plan_hash(self.claim.task_id, self.plan)

    def receive(self, text: str = "기재부 운영DB 쿼리가 너무 느려요", **more: str) -> IssueScenario:
        """Create the issue: RECEIVED."""
        self.sr_id = self.env.create_issue(text=text, **more)
        return self

    def parse(self) -> IssueScenario:
        """Triage it: PARSED, claimed by the DB specialist."""
        assignments.file_triage(
            self.env.board, self._claim("dispatcher"), assignment(SERVER.server_id)
        )
        self.claim = self._claim("db-agent")
        return self

    def _claim(self, agent: str) -> Claim:
        """Claim this issue's task, regardless of other tasks that wait for the agent."""
        begun = beats.begin(self.env.board, agent)
        assert begun is not None
        others: frozenset[int] = frozenset()
        while (found := beats.claim_task(self.env.board, begun, others)) is not None:
            if found.sr_id == self.sr_id:
                return found
            others |= {found.task_id}
        raise AssertionError(f"{agent} has nothing to do for SR-{self.sr_id}")

    def diagnose(
        self, findings: dict[str, object] | None = None, output: str = ""
    ) -> IssueScenario:
        """Record one read with its output."""
        board = self.env.board
        grant = grants.grant_reads(board, self.claim)
        intent = commands.record_intent(board, grant, _LOCKS, "psql … 'select … from pg_locks'")
        found = LOCK_FINDINGS if findings is None else findings
        commands.record_result(board, intent, CommandResult(True, found, output or repr(found), 84))
        tasks.add_comment(
            board, self.claim, "적용 런북: 잠금 대기 해소(제1판) — 요청한 증상과 가장 일치합니다."
        )
        return self

    def file(self) -> IssueScenario:
        """File the plan: PENDING_APPROVAL."""
        tasks.file_plan(self.env.board, self.claim, self.plan)
        return self

    def waiting(self, **more: str) -> IssueScenario:
        """Do everything up to the approval."""
        return self.receive(**more).parse().diagnose().file()

    def start(self) -> IssueScenario:
        """Begin the approved plan: IN_PROGRESS."""
        self.claim = self._claim("db-agent")
        grant = tasks.begin_execution(self.env.board, self.claim)
        for ordinal, action in enumerate(self.plan.actions):
            step = commands.PlanStep(ordinal, "do")
            intent = commands.record_intent(
                self.env.board, grant, action.call, action.command, step
            )
            commands.record_result(self.env.board, intent, CommandResult(True, {}, "t", 37))
        return self

    def complete(self) -> IssueScenario:
        """Complete the task: COMPLETED."""
        text = f"{self.plan.because}\n조치:\n" + "\n".join(
            f"- {a.effect}" for a in self.plan.actions
        )
        tasks.complete(self.env.board, self.claim, text)
        return self

    def fail(self) -> IssueScenario:
        """Fail the task: FAILED_ROLLBACK."""
        text = "2번째 조치의 확인에 실패하여 원복했습니다.\n원복한 조치:\n- 로그 수준을 DEBUG로"
        tasks.fail(self.env.board, self.claim, text)
        return self


PAGE = {"accept": "text/html"}
_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')


def main_part(page: str) -> str:
    """Return what a page shows between the frame that all pages have."""
    return page.split("<main")[1].split("</main>", maxsplit=1)[0]


class PageClient(TestClient):
    """A client that reads pages and submits their forms, like a person."""

    def get_page(self, path: str, **more: Any) -> Any:
        """Get a page as a browser does, without following redirects."""
        return self.get(path, headers=PAGE, follow_redirects=False, **more)

    def token(self, path: str = "/issues/new") -> str:
        """Return the form token of a page."""
        found = _TOKEN.search(self.get_page(path).text)
        assert found, f"no form on {path}"
        return found[1]

    def submit_form(self, path: str, at: str = "/issues", **fields: str) -> Any:
        """Submit a form with its token, taken from the page `at`."""
        data = {"csrf": self.token(at), **fields}
        return self.post(path, data=data, headers=PAGE, follow_redirects=False)


class RecordedStatement(str):
    """A statement that has run."""

    rows: int
    """Number of rows that it returned or changed."""


@contextmanager
def recorded_statements(board: BoardContext) -> Iterator[list[RecordedStatement]]:
    """Record what the block sends to the board's database, by any library."""
    statements: list[RecordedStatement] = []
    name = board.database.engine.url.database
    execute = psycopg.Cursor.execute

    def record(cursor: psycopg.Cursor[Any], query: Any, *words: Any, **more: Any) -> Any:
        found = execute(cursor, query, *words, **more)
        if cursor.connection.info.dbname == name:
            statement = RecordedStatement(query)
            statement.rows = cursor.rowcount
            statements.append(statement)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", record)
        yield statements


def page_app(board: BoardContext, **settings: object) -> FastAPI:
    """Return the application over a board."""
    return create_app(
        board, Settings(**{"messenger_token": "열쇠", "requests_per_sender": 10_000, **settings})
    )  # type: ignore[arg-type]


@contextmanager
def serve_app(app: FastAPI, port: int = 0) -> Iterator[str]:
    """Serve the application with uvicorn on loopback, on a free port unless one is named."""
    with run_server(app, port) as (_, address):
        yield address


@contextmanager
def run_server(app: FastAPI, port: int = 0) -> Iterator[tuple[BoardServer, str]]:
    """The server as well as its address."""
    listener = socket.create_server(("127.0.0.1", port))
    server = BoardServer(app)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    assert wait_until(lambda: server.started or not thread.is_alive())
    assert server.started, "the server did not start"
    try:
        yield server, f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the server did not stop"
