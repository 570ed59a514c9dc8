from __future__ import annotations

from page_env import LOCK_FINDINGS

from guardia.board.web.findings import FieldBlock, ListBlock, TableBlock, blocks, ordered


def test_locks_are_fields_and_two_tables() -> None:
    facts, roots, waiters = blocks(LOCK_FINDINGS)
    assert facts == FieldBlock((("waiting", 2),))
    assert isinstance(roots, TableBlock)
    assert roots.columns[:2] == ("pid", "backend_start")
    assert roots.columns[-1] == "query"
    assert roots.rows[0][0] == 4711
    assert isinstance(waiters, TableBlock)
    assert dict(zip(waiters.columns, waiters.rows[1], strict=True))["blocked_by"] == "4711, 4720"


def test_records_may_differ_in_their_columns() -> None:
    (table,) = blocks({"files": [{"name": "a"}, {"name": "b", "growing": True}]})
    assert isinstance(table, TableBlock)
    assert table.rows == (("a", None), ("b", True))


def test_long_tables_count_their_omitted_rows() -> None:
    (table,) = blocks({"files": [{"name": str(n)} for n in range(60)]})
    assert isinstance(table, TableBlock)
    assert (len(table.rows), table.more) == (50, 10)


def test_lines_objects_and_empty_lists() -> None:
    lines, nothing, inside = blocks({"lines": ["a", "b"], "roots": [], "x": {"k": [1, {"y": 2}]}})
    assert lines == ListBlock("roots", ())
    assert nothing == ListBlock("lines", ("a", "b"))
    assert inside == FieldBlock((("x.k", "1, y=2"),))


def test_names_come_in_the_catalogues_order_and_unknown_ones_last() -> None:
    assert ordered({"zzz", "query", "aaa", "pid"}) == ["pid", "query", "aaa", "zzz"]
