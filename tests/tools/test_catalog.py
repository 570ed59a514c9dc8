"""Rules that every tool follows."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

import guardia.tools
from guardia import i18n
from guardia.board.core.plan import Risk
from guardia.errors import Refused
from guardia.tools import catalog
from guardia.tools.tool import Tool

TOOLS = list(catalog.CATALOG.values())
FOLDER = Path(guardia.tools.__file__ or "").parent / "families"
FAMILIES = sorted(FOLDER.rglob("*.py"))

AGREED = {
    "database.locks",
    "database.activity",
    "database.terminate_session",
    "service.health",
    "service.processes",
    "service.restart",
    "service.log_level",
    "service.set_log_level",
    "disk.usage",
    "disk.largest",
    "disk.archive",
    "disk.restore",
    "deploy.current",
    "deploy.activate",
    "logs.tail",
    "security.auth_failures",
    "certificate.expiry",
    "host.load",
}


def named(tool: Tool[Any]) -> str:
    return tool.name


def test_the_agreed_tools_exist() -> None:
    assert set(catalog.CATALOG) >= AGREED


def test_an_unknown_tool_is_refused() -> None:
    with pytest.raises(Refused, match="등록되지 않은"):
        catalog.find("shell.run")


@pytest.mark.parametrize("language", i18n.LANGUAGES)
@pytest.mark.parametrize("tool", TOOLS, ids=named)
def test_it_has_its_texts(tool: Tool[Any], language: str) -> None:
    texts = i18n.catalogue(language, "tools")
    family, _, verb = tool.name.partition(".")
    entry = texts[family][verb]
    known = {*tool.args.model_fields, "server"}
    for text in (entry["title"], entry["effect"]):
        assert set(re.findall(r"\{(\w+)\}", text)) <= known
    if tool.risk is not Risk.READ:
        # What users notice while it runs: the first thing an approver asks.
        assert set(re.findall(r"\{(\w+)", entry["impact"])) <= known
    if tool.irreversible:
        assert tool.irreversible == f"tools.{tool.name}.irreversible"
        assert entry["irreversible"]


@pytest.mark.parametrize("tool", TOOLS, ids=named)
def test_a_change_is_verified(tool: Tool[Any]) -> None:
    assert tool.risk is Risk.READ or "verify" in tool.__dict__


@pytest.mark.parametrize("tool", TOOLS, ids=named)
def test_text_arguments_are_bounded(tool: Tool[Any]) -> None:
    for name, field in tool.args.model_json_schema().get("properties", {}).items():
        if field.get("type") == "string":
            assert "pattern" in field or "enum" in field, name


@pytest.mark.parametrize("tool", TOOLS, ids=named)
def test_it_has_a_timeout(tool: Tool[Any]) -> None:
    assert 0 < tool.timeout <= 3600  # a slow start; each service has its own `start_seconds`


def added(text: ast.expr) -> list[ast.expr]:
    """Return the parts of a sum."""
    if isinstance(text, ast.BinOp) and isinstance(text.op, ast.Add):
        return [*added(text.left), *added(text.right)]
    return [text]


def is_literal(part: ast.expr) -> bool:
    """Return whether it is a literal, or the name of one that a family declares as `Final`."""
    return isinstance(part, ast.Constant) or (isinstance(part, ast.Name) and part.id in LITERALS)


LITERALS = {
    statement.target.id
    for path in (*FAMILIES, *FOLDER.parent.glob("*.py"))
    for statement in ast.parse(path.read_text()).body
    if isinstance(statement, ast.AnnAssign)
    and isinstance(statement.target, ast.Name)
    and isinstance(statement.value, ast.Constant)
    and ast.unparse(statement.annotation) == "Final"
}


@pytest.mark.parametrize("path", FAMILIES, ids=lambda p: str(p.stem))
class TestFamilies:
    @pytest.mark.slow
    def test_shell_text_is_constant(self, path: Path) -> None:
        """No script is assembled: its text is a sum of literals at the top of modules."""
        tree = ast.parse(path.read_text())
        calls = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "Script"
        ]
        top = {id(s.value) for s in tree.body if isinstance(s, ast.Assign)}
        for call in calls:
            assert id(call) in top
            name, text = call.args
            assert isinstance(name, ast.Constant)
            assert all(is_literal(part) for part in added(text))

    def test_no_shell_runs_assembled_text(self, path: Path) -> None:
        """`Command.of("sh", "-c", ...)` would bypass that."""
        shells = re.findall(r"Command\.of\(\s*[\"'](?:\S*/)?(?:ba|da|z)?sh[\"']", path.read_text())
        assert shells == []

    def test_no_script_uses_a_here_document(self, path: Path) -> None:
        assert "<<" not in path.read_text()

    def test_no_family_opens_connections(self, path: Path) -> None:
        imported = {
            name.split(".")[0]
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [a.name for a in node.names]
            )
        }
        assert not imported & {"paramiko", "socket", "subprocess", "os", "sqlalchemy", "httpx"}
