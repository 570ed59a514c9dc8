"""Rows of issues and tasks are made in one place, so that a field is added in one place."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PRODUCT = ("db", "org", "board", "tools", "knowledge", "agents", "heartbeat", "src/guardia/cli")
CONSTRUCTORS = Path("board/issues/receiving.py")
MODEL = "guardia.board.core.model"
ROWS = {"Issue", "Task"}


def constructed_rows(tree: ast.Module) -> list[str]:
    """Every place that makes a row of an issue or a task: by its class, or by an insert."""
    names, modules = set[str](), set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == MODEL:
            names |= {a.asname or a.name for a in node.names if a.name in ROWS}
        elif isinstance(node, ast.ImportFrom) and node.module == MODEL.rpartition(".")[0]:
            modules |= {a.asname or a.name for a in node.names if a.name == "model"}

    def is_row(node: ast.expr) -> bool:
        if isinstance(node, ast.Attribute):
            owner = node.value
            return isinstance(owner, ast.Name) and owner.id in modules and node.attr in ROWS
        return isinstance(node, ast.Name) and node.id in names

    def makes_row(call: ast.Call) -> bool:
        inserts = ast.unparse(call.func).rpartition(".")[2] == "insert"
        return is_row(call.func) or (inserts and any(map(is_row, call.args)))

    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [f"{call.lineno}: {ast.unparse(call.func)}" for call in calls if makes_row(call)]


@pytest.mark.slow
def test_product_code_makes_issues_and_tasks_in_one_place() -> None:
    found = {}
    for folder in PRODUCT:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if rows := constructed_rows(ast.parse(path.read_text("utf-8"))):
                found[path.relative_to(ROOT)] = [row.partition(": ")[2] for row in rows]
    assert found == {CONSTRUCTORS: ["Issue", "Task"]}


@pytest.mark.parametrize(
    "source",
    [
        f"from {MODEL} import Issue\nIssue(title='t')",
        f"from {MODEL} import Task as Work\nsession.add(Work(sr_id=1))",
        "from guardia.board.core import model\nmodel.Task(sr_id=1)",
        f"from {MODEL} import Task\nsession.execute(insert(Task).values(sr_id=1))",
        f"from {MODEL} import Issue\nsession.execute(postgresql.insert(Issue))",
    ],
)
def test_a_row_that_is_made_elsewhere_is_found(source: str) -> None:
    assert len(constructed_rows(ast.parse(source))) == 1


def test_what_only_reads_rows_is_not_taken_for_a_constructor() -> None:
    source = f"from {MODEL} import Issue\nselect(Issue).where(Issue.sr_id == 1)\nasyncio.Task(f())"
    assert constructed_rows(ast.parse(source)) == []
