"""Small mutations of our own source, to check that tests notice them."""

from __future__ import annotations

import ast
import copy
import signal
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
NodeChange = Callable[[ast.AST], None]


@dataclass(frozen=True)
class Mutant:
    """One changed module."""

    name: str
    """Place and kind of the change."""
    tree: ast.Module
    """Valid until the next mutant is requested: copies would take longer than the tests."""


def _set(name: str, value: object) -> NodeChange:
    return lambda node: setattr(node, name, value)


def _changes(node: ast.AST) -> Iterator[tuple[str, NodeChange]]:  # noqa: PLR0912
    """Yield the ways to change one node."""
    if isinstance(node, ast.Compare):
        for other in _COMPARISONS.get(type(node.ops[0]), ()):
            yield f"-> {other.__name__}", _set("ops", [other(), *node.ops[1:]])
    elif isinstance(node, ast.BoolOp):
        other_op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield "and <-> or", _set("op", other_op)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        yield "+ <-> -", _set("op", ast.Sub() if isinstance(node.op, ast.Add) else ast.Add())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not away", _set("op", ast.UAdd())
    elif isinstance(node, ast.If | ast.While | ast.IfExp):
        for value in (True, False):
            yield f"test {value}", _set("test", ast.Constant(value))
    elif isinstance(node, ast.Return) and node.value is not None:
        if not (isinstance(node.value, ast.Constant) and node.value.value is None):
            yield "return None", _set("value", ast.Constant(None))
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield "negated", _set("value", not node.value)
        elif isinstance(node.value, int):
            yield "+ 1", _set("value", node.value + 1)
        elif isinstance(node.value, str) and node.value:
            yield "other text", _set("value", node.value + "x")
        elif isinstance(node.value, bytes):
            yield "other bytes", _set("value", node.value + b"x")


def _functions(tree: ast.Module, names: set[str]) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in names:
            yield node


def _targets(tree: ast.Module, names: set[str]) -> list[ast.AST]:
    """Return the nodes of the named functions, without docstrings, error texts and types."""
    found: dict[int, ast.AST] = {}
    for function in _functions(tree, names):
        passed: set[int] = set()
        for node in ast.walk(function):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                passed.add(id(node.value))  # a docstring
            if isinstance(node, ast.Raise):
                passed.update(id(n) for n in ast.walk(node))  # text of an error
            for name in ("annotation", "returns"):
                written = getattr(node, name, None)
                if written is not None:
                    passed.update(id(n) for n in ast.walk(written))
        for node in ast.walk(function):
            if id(node) not in passed:
                found[id(node)] = node
    return list(found.values())


def _statements(tree: ast.Module, names: set[str]) -> Iterator[tuple[ast.AST, str, int]]:
    """Yield the places of removable statements: assignments, calls, raises."""
    for function in _functions(tree, names):
        for node in ast.walk(function):
            for field in ("body", "orelse"):
                block = getattr(node, field, None)
                for at, line in enumerate(block if isinstance(block, list) else ()):
                    call = isinstance(line, ast.Expr) and not isinstance(line.value, ast.Constant)
                    if call or isinstance(line, ast.Assign | ast.Raise):
                        yield node, field, at


def mutants(path: Path, names: set[str]) -> Iterator[Mutant]:
    """Yield every mutant of the functions and classes `names` of a module, one change each."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in _targets(tree, names):
        for word, change in _changes(node):
            where = f"{path.name}:{getattr(node, 'lineno', 0)} {type(node).__name__} {word}"
            kept = copy.copy(node.__dict__)
            change(node)
            yield Mutant(where, ast.fix_missing_locations(tree))
            node.__dict__.clear()
            node.__dict__.update(kept)
    for owner, field, at in _statements(tree, names):
        block = getattr(owner, field)
        line, block[at] = block[at], ast.Pass()
        where = f"{path.name}:{line.lineno} {type(line).__name__} away"
        yield Mutant(where, ast.fix_missing_locations(tree))
        block[at] = line


class ModuleSet:
    """Modules that import each other, in that order, with one of them mutated."""

    def __init__(self, names: list[str], paths: list[Path]) -> None:
        self._names, self._paths = names, paths
        self._code = {
            name: compile(path.read_text("utf-8"), str(path), "exec")
            for name, path in zip(names, paths, strict=True)
        }

    @contextmanager
    def mutated(self, name: str, tree: ast.Module | None) -> Iterator[list[types.ModuleType]]:
        """Import fresh modules; the originals are back in place afterwards."""
        parent = sys.modules["guardia.board.audit"]
        kept = {n: sys.modules.get(n) for n in self._names}
        attributes = {n: getattr(parent, n.rpartition(".")[2], None) for n in self._names}
        made = []
        try:
            reached = False
            for each, path in zip(self._names, self._paths, strict=True):
                reached = reached or each == name
                original = kept[each]
                if not reached and original is not None:
                    # It imports none of the later modules: the mutation cannot reach it.
                    made.append(original)
                    continue
                changed = each == name and tree is not None
                code = compile(tree, str(path), "exec") if changed and tree else self._code[each]
                module = types.ModuleType(each)
                sys.modules[each] = module
                setattr(parent, each.rpartition(".")[2], module)
                exec(code, module.__dict__)  # noqa: S102
                made.append(module)
            yield made
        finally:
            for each, module_before in kept.items():
                if module_before is None:
                    sys.modules.pop(each, None)
                else:
                    sys.modules[each] = module_before
                setattr(parent, each.rpartition(".")[2], attributes[each])


@contextmanager
def cpu_time_limit(seconds: float) -> Iterator[None]:
    """Raise `TimeoutError` if a mutant never ends; counts processor time, not load."""

    def expire(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGVTALRM, expire)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
