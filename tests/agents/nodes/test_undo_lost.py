"""What is known of a server after an undo: undone, unchanged, or unknown because it was lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from agents_env import AgentsEnv, open_agents_env
from board_env import LEAD, SERVER, plan
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from fake_chat import closed_port

from guardia.agents.nodes.undo import UndoResult, undo_actions
from guardia.board.approvals import decisions
from guardia.board.core.plan import Category
from guardia.board.core.planner import ActionDraft
from guardia.board.execution import commands, tasks
from guardia.board.execution.commands import CommandResult, PlanStep
from guardia.org import registry
from guardia.org.credential_store import FileCredentialStore
from guardia.org.model import Server

LEVEL = ActionDraft(
    "service.set_log_level", {"service": "budgetdb", "level": "INFO", "previous": "DEBUG"}
)


def _public_key() -> str:
    key = Ed25519PrivateKey.generate().public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _store_key(keys: Path) -> None:
    private = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()
    )
    FileCredentialStore(keys).put("key", private.decode())


def undone(found: AgentsEnv, *, began: bool) -> UndoResult:
    """Undo an approved plan on a server that cannot be reached."""
    env = found.env
    service = SERVER.services[0].model_copy(
        update={"root": "/srv/budgetdb", "control": "/srv/budgetdb/control"}
    )
    with env.board.database.transaction() as session:
        row = session.get_one(Server, SERVER.server_id)
        row.services, row.address, row.port = [service.model_dump()], "127.0.0.1", closed_port()
        row.account, row.credential, row.host_key = "ops", "key", _public_key()
        session.flush()
        host = registry.host(session, SERVER.server_id)
    action = env.board.planner.build_action(LEVEL, host, Category.MAINTENANCE)
    filed = plan("MAINTENANCE", action)
    claim, _, bound = env.create_filed_plan(filed)
    decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=bound)
    grant = tasks.begin_execution(env.board, env.claim("db-agent"))
    if began:
        intent = commands.record_intent(
            env.board, grant, action.call, action.command, PlanStep(0, "do")
        )
        commands.record_result(env.board, intent, CommandResult(True, {}, "", 1))
    return undo_actions(env.board, found.gate, grant, filed)


@pytest.mark.slow
def test_a_server_that_is_lost_is_not_called_undone(database: Any, tmp_path: Path) -> None:
    with open_agents_env(database.owner, database.app, tmp_path) as found:
        _store_key(tmp_path)
        done = undone(found, began=True)
        assert (done.restored, len(done.failed), done.lost) == ([], 1, True), done.failed


@pytest.mark.slow
def test_without_a_change_nothing_was_undone(database: Any, tmp_path: Path) -> None:
    with open_agents_env(database.owner, database.app, tmp_path) as found:
        done = undone(found, began=False)
        assert (done.restored, done.failed, done.lost) == ([], [], False)
