"""External agents on a full stack: the board behind a real port, and programs on this machine."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from command_line import environment, running_worker
from full_stack import FullStack, open_full_stack
from page_env import page_app, serve_app
from sqlalchemy import select

from guardia.agents.adapters import process
from guardia.board.audit.model import AuditEntry
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.organization import chart as organization_chart
from guardia.db.account import SystemAccount
from guardia.org import chart
from guardia.tools.lab.running_fleet import RunningFleet

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "external_agent.py"
PYTHON = "/usr/bin/python3"
"""The system's Python: programs run under an account that may not reach our environment."""


def chart_with_adapter(adapter: dict[str, Any], agent: str = "db-agent", **more: Any) -> str:
    """Return the shipped chart with an adapter, and `more`, in one agent's entry."""
    text = chart.shipped_chart_path().read_text("utf-8")
    before, entry, after = text.partition(f"  - id: {agent}\n")
    assert entry
    lines = {"adapter": adapter, **more}.items()
    added = "".join(f"    {name}: {json.dumps(value)}\n" for name, value in lines)
    return f"{before}{entry}{added}{after}"


def python_adapter(scripts: Path, source: str | Path, **more: Any) -> dict[str, Any]:
    """Return an adapter that runs a Python program, given as its text or its file.

    `scripts` is a folder that its account can reach.
    """
    text = source.read_text("utf-8") if isinstance(source, Path) else source
    path = scripts / "program.py"
    path.write_text(text, "utf-8")
    path.chmod(0o644)
    return with_trusted_account({"kind": "process", "command": [PYTHON, str(path)], **more})


def with_trusted_account(adapter: dict[str, Any]) -> dict[str, Any]:
    """Return the adapter as it must be written if the tests do not run as root."""
    return adapter if os.geteuid() == 0 else {**adapter, "trust_account": True}


@contextmanager
def shared_folder() -> Iterator[Path]:
    """Create a folder that other accounts can pass through, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="guardia-outside-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def keep_own_account_unless_reachable(monkeypatch: pytest.MonkeyPatch, *needed: Path) -> None:
    """Keep our own account for programs if another one cannot reach what they need."""
    other = SystemAccount("other", 61184, 61184)
    if os.geteuid() == 0 and not all(other.can_reach(path) for path in needed):
        monkeypatch.setattr(process, "account", lambda *_: None)


@contextmanager
def stack_with_external_agent(
    dsn: str, fleet: RunningFleet, home: Path, adapter: dict[str, Any], **more: Any
) -> Iterator[FullStack]:
    """Open a full stack with one external agent, whose work is done by `guardia worker`.

    `home` is that process's own folder, with the fleet's key among its secrets; the board is behind
    a real port.
    """
    if not Path(PYTHON).exists():
        pytest.skip("no system Python")
    with (
        open_full_stack(dsn, fleet, home / "secrets") as stack,
        serve_app(page_app(stack.board)) as address,
    ):
        organization_chart.apply_chart(
            stack.board, chart_with_adapter(adapter, **more), Actor.operator("test")
        )
        env = environment(home, GUARDIA_DSN=dsn, GUARDIA_BOARD_URL=address)
        with running_worker(env, home / "worker.log"):
            yield stack
        assert list((home / "outside").iterdir()) == []


def audit_entries(board: BoardContext, *kinds: str) -> list[AuditEntry]:
    """Return the entries of these kinds, in order."""
    with board.database.reading() as session:
        query = select(AuditEntry).where(AuditEntry.kind.in_(kinds)).order_by(AuditEntry.seq)
        return list(session.scalars(query))
