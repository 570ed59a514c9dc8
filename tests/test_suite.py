"""Rules of this test suite: no test depends on how fast the machine is; benchmarks measure."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
BENCHMARKS = sorted((TESTS.parent / "benchmarks").glob("*.py"))
CLOCKS = {
    "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time",
    "process_time_ns", "thread_time", "thread_time_ns", "time", "time_ns", "clock_gettime", "now",
    "utcnow",
}  # fmt: skip
SPAN = re.compile(r"(?:^|_)(?:seconds|milliseconds|elapsed|duration|latency|took)$")
"""Names of measured durations, including those of the code under test."""
ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
GENEROUS = 60
WAITS = {"wait", "join", "result", "exception"}
"""Methods whose argument is the longest time to wait; others name it as a keyword."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Measured:
    """Names of a scope that contain a clock's reading, and those that contain a duration."""

    def __init__(self, nodes: list[ast.AST], outer: Measured | None = None) -> None:
        self.moments: set[str] = set(outer.moments) if outer else set()
        self.spans: set[str] = set(outer.spans) if outer else set()
        while self._learn(nodes):
            pass

    @classmethod
    def of_module(cls, tree: ast.Module) -> Measured:
        """Return the names known in a whole module, including functions that return a duration."""
        found = cls(_outside_functions(tree))
        for function in _functions(tree):
            inside = cls(list(ast.walk(function)), found)
            returned = (n.value for n in ast.walk(function) if isinstance(n, ast.Return))
            if any(value is not None and inside.is_span(value) for value in returned):
                found.spans.add(function.name)
        return found

    def is_moment(self, node: ast.AST) -> bool:
        """Return whether a clock's reading is part of an expression."""
        return any(_reads_clock(n) or _name(n) in self.moments for n in ast.walk(node))

    def is_span(self, node: ast.AST) -> bool:
        """Return whether the difference of two readings is part of an expression."""
        return any(self._is_difference(n) or _name(n) in self.spans for n in ast.walk(node))

    def _is_difference(self, node: ast.AST) -> bool:
        return (
            isinstance(node, ast.BinOp)
            and isinstance(node.op, ast.Sub)
            and self.is_moment(node.left)
            and self.is_moment(node.right)
        )

    def _learn(self, nodes: list[ast.AST]) -> bool:
        """Record what is assigned or appended; return whether anything is new."""
        before = len(self.moments) + len(self.spans)
        for node in nodes:
            for target, value in _bindings(node):
                names = {n.id for n in ast.walk(target) if isinstance(n, ast.Name)}
                if self.is_span(value):
                    self.spans |= names
                elif self.is_moment(value):
                    self.moments |= names
        return len(self.moments) + len(self.spans) > before


def _outside_functions(node: ast.AST) -> list[ast.AST]:
    children = [n for n in ast.iter_child_nodes(node) if not isinstance(n, Function)]
    return children + [inner for child in children for inner in _outside_functions(child)]


def _functions(node: ast.AST) -> Iterator[Function]:
    """Yield the outermost functions, including methods."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield child
        else:
            yield from _functions(child)


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _reads_clock(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    return (isinstance(called, ast.Attribute) and called.attr in CLOCKS) or _name(called) in CLOCKS


def _bindings(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Yield each target to which a statement assigns a value, and the value."""
    match node:
        case ast.Assign(targets=targets, value=value):
            yield from ((target, value) for target in targets)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            yield target, value
        case ast.AugAssign(target=target, value=value) | ast.NamedExpr(target=target, value=value):
            yield target, value
        case ast.Call(func=ast.Attribute(value=target, attr="append"), args=[value]):
            yield target, value


def _names_a_span(node: ast.AST) -> bool:
    """Return whether a part is named like a duration: `output.seconds`, `row["took"]`."""
    parts = ast.walk(node)
    names = (
        n.attr if isinstance(n, ast.Attribute) else n.value if isinstance(n, ast.Constant) else ""
        for n in parts
    )
    return any(isinstance(name, str) and SPAN.search(name) for name in names)


def _has_bound(node: ast.AST) -> bool:
    """Return whether a non-zero duration is written there; digits to round to do not count."""
    if isinstance(node, ast.Call):
        return _name(node.func) == "timedelta"
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float) and bool(node.value)
    return any(map(_has_bound, ast.iter_child_nodes(node)))


def _claims(nodes: Iterable[ast.AST]) -> Iterator[ast.expr]:
    """Yield the conditions that a test fails on: asserted, or checked in order to fail."""
    for node in nodes:
        if isinstance(node, ast.Assert) or (
            isinstance(node, ast.If) and any(map(_fails, node.body))
        ):
            yield node.test


def _fails(statement: ast.stmt) -> bool:
    called = ast.unparse(statement)
    return isinstance(statement, ast.Raise) or called.startswith("pytest.fail(")


def _is_timed(claim: ast.expr, measured: Measured) -> bool:
    compared = [n for n in ast.walk(claim) if isinstance(n, ast.Compare)]
    return any(
        any(measured.is_span(side) for side in (c.left, *c.comparators))
        or (
            any(isinstance(op, ORDER) for op in c.ops)
            and (_compares_named_span(c) or _compares_deadline(c, measured))
        )
        for c in compared
    )


def _compares_named_span(compare: ast.Compare) -> bool:
    sides = (compare.left, *compare.comparators)
    named = [side for side in sides if _names_a_span(side)]
    return bool(named) and any(_has_bound(side) for side in sides if side not in named)


def _compares_deadline(compare: ast.Compare, measured: Measured) -> bool:
    sides = (compare.left, *compare.comparators)
    return all(measured.is_moment(side) for side in sides) and any(
        "monotonic" in ast.unparse(side) or "perf_counter" in ast.unparse(side) for side in sides
    )


def _is_impatient(claim: ast.expr) -> bool:
    """Return whether it waits for an event for less time than a slow machine may need."""
    if isinstance(claim, ast.UnaryOp) and isinstance(claim.op, ast.Not):
        return False
    limits = [limit for n in ast.walk(claim) if isinstance(n, ast.Call) for limit in _limits(n)]
    return any(
        isinstance(limit, ast.Constant)
        and isinstance(limit.value, int | float)
        and 0 < limit.value < GENEROUS
        for limit in limits
    )


def _limits(call: ast.Call) -> Iterator[ast.expr]:
    if _name(call.func) == "timedelta":
        return
    yield from (k.value for k in call.keywords if k.arg in {"timeout", "seconds"})
    if isinstance(call.func, ast.Attribute) and call.func.attr in WAITS:
        yield from call.args


def timed_claims(source: str) -> list[int]:
    """Return the lines of assertions about how long something took."""
    tree = ast.parse(source)
    outer = Measured.of_module(tree)
    scopes = [_outside_functions(tree), *(list(ast.walk(f)) for f in _functions(tree))]
    return sorted(
        claim.lineno
        for nodes in scopes
        for measured in [Measured(nodes, outer)]
        for claim in _claims(nodes)
        if _is_timed(claim, measured)
    )


def impatient_claims(source: str) -> list[int]:
    """Return the lines of assertions that wait less than a minute for an event."""
    return sorted(c.lineno for c in _claims(ast.walk(ast.parse(source))) if _is_impatient(c))


SOURCES = sorted(p for p in TESTS.rglob("*.py") if p != Path(__file__))


@pytest.mark.slow
def test_no_assertion_is_about_how_long_something_took() -> None:
    found = {str(p.relative_to(TESTS)): timed_claims(p.read_text("utf-8")) for p in SOURCES}
    assert {name: lines for name, lines in found.items() if lines} == {} and len(found) > 150


@pytest.mark.slow
def test_no_assertion_waits_for_less_than_a_minute() -> None:
    found = {str(p.relative_to(TESTS)): impatient_claims(p.read_text("utf-8")) for p in SOURCES}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "planted",
    [
        "began = time.monotonic()\nwork()\nassert time.monotonic() - began < 2.0",
        "began = perf_counter()\nwork()\nseconds = perf_counter() - began\nassert 0 < seconds <= 2",
        "a = datetime.now(UTC)\nwork()\nassert (datetime.now(UTC) - a).total_seconds() < 5",
        "a = time.time()\nb = a\nassert not time.time() - b > limit",
        "found = []\na = time.time()\nfound.append(time.time() - a)\nassert min(found[-3:]) < 0.03",
        "def took():\n    return time.monotonic() - BEGAN\nBEGAN = time.monotonic()\n"
        "assert took() < 3",
        "a = time.monotonic()\nif time.monotonic() - a > 4:\n    pytest.fail('slow')",
        "a = time.monotonic()\nif time.monotonic() - a > 4:\n    raise AssertionError",
        "a = time.monotonic()\nassert count <= (time.monotonic() - a) / 0.3 < 30",
        "until = time.monotonic() + 20\nwhile not true():\n    assert time.monotonic() < until",
        "assert output.seconds < 1",
        "assert row.duration < timedelta(seconds=5)",
        "assert run().duration.total_seconds() < 10",
        "assert 0 <= found['longest_seconds'] < 60",
        "a, b = time.monotonic(), 1\nassert round(time.monotonic() - a) == b",
    ],
)
def test_a_planted_timed_assertion_is_found(planted: str) -> None:
    assert timed_claims(planted)


@pytest.mark.parametrize(
    "fair",
    [
        "assert trigger.interval.total_seconds() == 60",
        "assert row.duration.total_seconds() >= 0",
        "until = time.monotonic() + 60\nwhile not true() and time.monotonic() < until:\n    pass",
        "before = datetime.now(UTC)\nassert before <= row.created_at <= datetime.now(UTC)",
        "assert round(before, 1) <= found['longest_seconds'] <= after",
        "assert chart.heartbeat.every == '3m' and len(rows) < 30",
    ],
)
def test_an_assertion_that_any_machine_passes_is_allowed(fair: str) -> None:
    assert not timed_claims(fair)


def test_a_planted_short_wait_is_found() -> None:
    for planted in ("assert child.wait(10) == 0", "assert wait_until(true, seconds=5.0)"):
        assert impatient_claims(planted)
    assert not impatient_claims("assert not wait_until(true, seconds=1.5)\nassert ended.wait(60)")


def test_make_lists_the_benchmarks_with_their_first_lines() -> None:
    listed = subprocess.run(
        ["make", "-s", "bench"], cwd=TESTS.parent, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert [line.split()[0] for line in listed] == [path.stem for path in BENCHMARKS]
    for line, path in zip(listed, BENCHMARKS, strict=True):
        assert line.partition(" ")[2].strip() == documentation(path).splitlines()[0]


def test_a_benchmark_that_is_none_is_refused_before_anything_is_installed() -> None:
    ended = subprocess.run(
        ["make", "-s", "bench", "NAME=nowhere"],
        cwd=TESTS.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode != 0 and "benchmarks/nowhere.py" in ended.stderr


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_a_benchmark_says_how_make_runs_it(path: Path) -> None:
    usage = [line for line in documentation(path).splitlines() if line.startswith("    ")]
    assert [line.split()[:3] for line in usage[:1]] == [["make", "bench", f"NAME={path.stem}"]]
    assert "sys.path" not in path.read_text("utf-8"), "make knows the paths"


def documentation(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text("utf-8")), clean=False) or ""
