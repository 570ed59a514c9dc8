"""Data-file cases of every tool: `cases/<tool>/*.yaml`, each a list of

* `args` (and changes of the usual `service`, and of the `host`) -> `script`: name and arguments of
  the script, or `command`: the whole masked command; `undo`; `verify`; or `refused`: the error
* `output` (text, or `exit`/`stdout`/`stderr`) -> `findings`, or `failed`
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jmespath
import pytest
import yaml

from guardia.board.core.plan import Action, Risk, ToolCall
from guardia.errors import CommandFailed, Invalid, Refused
from guardia.org.directory import Host, Service
from guardia.tools import catalog, planning
from guardia.tools.output import Output

CASES = Path(__file__).with_name("cases")

SERVICES = {
    "http": {
        "name": "budget", "port": 8080, "control": "/h/bin/budgetctl", "health": "/health",
        "root": "/h/srv/budget", "logs": "/h/srv/budget/logs",
    },
    "tls": {
        "name": "homepage", "port": 8443, "root": "/h/srv/homepage", "logs": "/h/srv/homepage/logs",
    },
    "postgresql": {"name": "budgetdb", "port": 5432, "root": "/h/srv/db", "logs": "/h/srv/db/logs"},
    "system": {"name": "cron", "unit": "cron.service"},
    "authlog": {"name": "auth", "root": "/h/srv/auth", "logs": "/h/srv/auth/logs"},
    "mysql": {
        "name": "civildb", "port": 3306, "address": "127.0.0.1", "login": "guardia",
        "credential": "civildb",
    },
    "oracle": {
        "name": "taxdb", "port": 1521, "database": "TAX", "login": "guardia",
        "credential": "taxdb", "logs": "/u01/diag",
    },
    "tibero": {
        "name": "landdb", "database": "land", "login": "guardia", "credential": "landdb",
        "logs": "/tibero/instance/land/log/slog",
    },
    "cubrid": {
        "name": "docdb", "database": "demodb", "credential": "docdb", "logs": "/cubrid/log/server",
    },
    "account": {"name": "hong", "login": "hong"},
    "timer": {"name": "nightly", "unit": "nightly.timer"},
    "backup": {"name": "dumps", "root": "/backup"},
    "files": {"name": "spool", "logs": "/var/spool/minwon", "root": "/var/lib/guardia"},
}  # fmt: skip


def collected() -> Iterator[Any]:
    for path in sorted(CASES.glob("*/*.yaml")):
        for number, case in enumerate(yaml.safe_load(path.read_text())):
            name = f"{path.parent.name}:{path.stem}:{case.get('name', number)}"
            yield pytest.param(path.parent.name, case, id=name)


def host(case: dict[str, Any]) -> Host:
    """Return the usual services of a host, with the case's changes to all of them."""
    services = tuple(
        Service.model_validate({"kind": kind} | facts | case.get("service", {}))
        for kind, facts in SERVICES.items()
    )
    facts = {"server_id": "MOF-WAS-01", "institution": "MOF", "kind": "WAS"}
    return Host.model_validate(facts | {"services": services} | case.get("host", {}))


@pytest.fixture(autouse=True)
def _enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enable the changes that follow a manual."""
    monkeypatch.setenv("GUARDIA_ENABLED_TOOLS", "*")


@pytest.mark.parametrize(("tool", "case"), [c for c in collected() if "args" in c.values[1]])
def test_commands(tool: str, case: dict[str, Any]) -> None:
    call = ToolCall(tool=tool, args=case["args"])
    if "refused" in case:
        with pytest.raises((Refused, Invalid), match=case["refused"]):
            planning.propose(call, host(case))
        return
    action = planning.propose(call, host(case))
    for check in (*action.precheck, *action.verify, *action.undo_verify):
        # People who approve read a sentence, not the expression.
        assert check.sentence and "{" not in check.sentence, check
    if action.risk is not Risk.READ:
        require_complete(action, host(case))
    words = shlex.split(action.command)
    if "script" in case:
        assert words[:2] == ["bash", "-c"]
        assert words[3:] == [str(word) for word in case["script"]]
    if "command" in case:
        assert words == shlex.split(case["command"])
    if "undo" in case:
        assert action.undo == ToolCall.model_validate(case["undo"])
    if "verify" in case:
        shown = [[c.call.tool, c.expect, c.within] for c in action.verify]
        assert shown == case["verify"]


def require_complete(action: Action, at: Host) -> None:
    """Check that a change says what it does, can be checked, and has a way back or a reason."""
    assert at.server_id in action.effect and "{" not in action.effect
    assert action.call.args.get("service", "") in action.effect
    assert (action.undo is None) != (action.irreversible is None)
    if action.undo:
        assert planning.propose(action.undo, at).risk is action.risk
        assert action.undo_verify
    assert action.verify
    for check in (*action.precheck, *action.verify, *action.undo_verify):
        assert planning.prepare(check.call, at)[0].risk is Risk.READ
        jmespath.compile(check.expect)
    assert planning.propose(action.call, at) == action
    assert Action.model_validate_json(action.model_dump_json()) == action


@pytest.mark.parametrize(("tool", "case"), [c for c in collected() if "output" in c.values[1]])
def test_outputs(tool: str, case: dict[str, Any]) -> None:
    given = case["output"] if isinstance(case["output"], dict) else {"stdout": case["output"]}
    output = Output(**({"exit": 0, "stdout": "", "stderr": "", "seconds": 0.1} | given))
    parse = catalog.find(tool).parse
    if "failed" in case:
        with pytest.raises(CommandFailed, match=re.escape(case["failed"])):
            parse(output)
    else:
        assert parse(output) == case["findings"]


@pytest.mark.slow
def test_every_tool_has_cases_of_both_kinds() -> None:
    found = list(collected())
    for name in catalog.CATALOG:
        cases = [c.values[1] for c in found if c.values[0] == name]
        assert any("args" in case for case in cases), name
        assert any("findings" in case for case in cases), name
        assert any("failed" in case for case in cases), name


def test_every_case_is_of_an_existing_tool() -> None:
    assert {path.parent.name for path in CASES.glob("*/*.yaml")} <= set(catalog.CATALOG)
