"""Rollouts in tests that reach no server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from board_env import ENGINEER, SECOND_SERVER, SERVER
from deploy_env import archive

from guardia.board.artifacts import records
from guardia.board.artifacts.blob_store import BlobStore
from guardia.board.artifacts.records import NewArtifact
from guardia.board.core.plan import Action, Citation, Plan, Risk, ToolCall
from guardia.board.rollouts import drafts
from guardia.board.rollouts.drafts import ServerPlan
from guardia.board.rollouts.policy import Options


def server_plan(server: str, *, final: bool = False) -> ServerPlan:
    """Return the plan of a server; `final`: one that cannot be undone."""
    call = ToolCall(
        tool="deploy.activate", args={"service": "x", "version": "2", "previous": "1.0"}
    )
    action = Action(
        call=call,
        risk=Risk.DEPLOY,
        effect=f"{server}을 전환합니다.",
        command="…",
        undo=None if final else call,
        irreversible="불가" if final else None,
    )
    cited = Citation(document="artifact", title="app 2.0", version=1, sha256="0", passage="x")
    plan = Plan(
        server=server, category="DEPLOY_SECURE", because="배포", citation=cited, actions=(action,)
    )
    return ServerPlan("x", plan)


def drafted(
    env: Any,
    home: Path,
    options: Options | None = None,
    servers: Sequence[str] = (SERVER.server_id, SECOND_SERVER.server_id),
) -> int:
    """Upload two versions of an artefact and draft a rollout of the second."""
    store = BlobStore(home / "artifacts", file_bytes=1 << 30, total_bytes=1 << 30)
    number = 0
    for version, text in (("1.0", b"port=1\ntoken=abc123\n"), ("2.0", b"port=2\ntoken=xyz789\n")):
        new, packed = NewArtifact("app", version, "app.tar.gz"), archive({"a.conf": text})
        with records.prepare(env.board, store, ENGINEER, new, len(packed)) as incoming:
            incoming.write(packed)
            incoming.seal()
            number = records.add(env.board, store, ENGINEER, new, incoming)
    plans = [server_plan(name) for name in servers]
    return drafts.draft(env.board, ENGINEER, number, plans, options or Options())
