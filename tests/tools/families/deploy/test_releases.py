"""Switching releases of a real service, over real SSH."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from typing import Any

import jmespath
import pytest
from waiting import wait_until

from guardia.board.core.plan import ToolCall
from guardia.errors import CommandFailed
from guardia.tools import planning

pytestmark = pytest.mark.ssh
Ask = Callable[..., dict[str, Any]]


def test_current_and_staged_releases(ask: Ask, sshd: Any, budget: Any) -> None:
    host = sshd.host(budget.service())
    budget.release("3.10.0", 200)
    found = ask("deploy.current", host, service="budget")
    assert found == {"version": "3.1.0", "releases": ["3.1.0", "3.1.1", "3.10.0"]}


@pytest.mark.slow
def test_a_release_is_switched_and_its_undo_switches_back(ask: Ask, sshd: Any, budget: Any) -> None:
    host = sshd.host(budget.service())
    call = ToolCall(
        tool="deploy.activate",
        args={"service": "budget", "version": "3.1.1", "previous": "3.1.0"},
    )
    action = planning.propose(call, host)

    def holds(checks: Any) -> bool:
        found = [ask(c.call.tool, host, **c.call.args) for c in checks]
        return all(jmespath.search(c.expect, f) for c, f in zip(checks, found, strict=True))

    assert holds(action.precheck)
    ask(action.call.tool, host, **action.call.args)
    assert os.readlink(budget.root / "current") == "releases/3.1.1"
    # The staged release is broken: its health check responds with 500.
    assert not wait_until(lambda: holds(action.verify), seconds=1.5)
    assert not holds(action.precheck)
    assert action.undo
    ask(action.undo.tool, host, **action.undo.args)
    assert os.readlink(budget.root / "current") == "releases/3.1.0"
    assert wait_until(lambda: holds(action.undo_verify))
    assert budget.asked == ["start", "restart", "restart"]


@pytest.mark.slow
def test_there_is_always_a_current_release(ask: Ask, sshd: Any, budget: Any) -> None:
    host = sshd.host(budget.service())
    watch = 'while :; do [ -e "$1/current/app.py" ] || echo missing; done'
    watcher = subprocess.Popen(
        ["bash", "-c", watch, "watch", budget.root], stdout=subprocess.PIPE, text=True
    )
    for _ in range(3):
        ask("deploy.activate", host, service="budget", version="3.1.1", previous="3.1.0")
        ask("deploy.activate", host, service="budget", version="3.1.0", previous="3.1.1")
    watcher.kill()
    assert watcher.communicate()[0] == ""
    assert not [p for p in budget.root.iterdir() if p.name.startswith(".current")]


def test_a_missing_release_is_not_switched_to(ask: Ask, sshd: Any, budget: Any) -> None:
    host = sshd.host(budget.service())
    with pytest.raises(CommandFailed, match=r"no release 9\.9\.9"):
        ask("deploy.activate", host, service="budget", version="9.9.9", previous="3.1.0")
    assert os.readlink(budget.root / "current") == "releases/3.1.0"
    assert budget.asked == ["start"]


def test_a_concurrent_switch_is_not_overwritten(ask: Ask, sshd: Any, budget: Any) -> None:
    budget.release("3.0.9", 200)
    host = sshd.host(budget.service())
    with pytest.raises(CommandFailed, match=r"current is 3\.1\.0, not 3\.0\.9"):
        ask("deploy.activate", host, service="budget", version="3.1.1", previous="3.0.9")
    assert budget.asked == ["start"]


@pytest.mark.slow
def test_undo_without_a_switch_only_restarts(ask: Ask, sshd: Any, budget: Any) -> None:
    host = sshd.host(budget.service())
    ask("deploy.activate", host, service="budget", version="3.1.0", previous="3.1.1")
    assert os.readlink(budget.root / "current") == "releases/3.1.0"
    assert budget.asked == ["start", "restart"]


def test_without_a_link_nothing_is_replaced(ask: Ask, sshd: Any, budget: Any) -> None:
    (budget.root / "current").unlink()
    (budget.root / "current").mkdir()
    host = sshd.host(budget.service())
    assert ask("deploy.current", host, service="budget")["version"] is None
    with pytest.raises(CommandFailed, match="not a link"):
        ask("deploy.activate", host, service="budget", version="3.1.1", previous="3.1.0")
