"""A solved issue without a document becomes a proposal that people review."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from board_env import ENGINEER, LEAD, BoardEnv
from document_env import DocumentEnv

from guardia.board.core.actors import Actor
from guardia.board.issues import comments
from guardia.board.knowledge import proposals, review, usage, view
from guardia.board.knowledge.proposals import text_of
from guardia.board.knowledge.solved_issues import SolvedIssue

pytestmark = pytest.mark.slow


def solve(env: BoardEnv, database: Any, sr_id: int) -> None:
    with psycopg.connect(database.superuser) as connection:
        connection.execute("set session_replication_role = replica")  # past the lifecycle
        connection.execute(
            "update tb_sr_request set status = 'COMPLETED', closed_at = now(), inst_id = 'MOF'"
            " where sr_id = %s",
            (sr_id,),
        )


def test_a_solved_issue_becomes_a_document_after_review(
    env: BoardEnv, database: Any, tmp_path: Path
) -> None:
    docs = DocumentEnv(env.board, tmp_path / "store")
    solved, still_open = env.create_issue(text="프린터가 안 됩니다"), env.create_issue()
    for sr_id in (solved, still_open):
        usage.cite(env.board, sr_id, [])
    comments.add_comment(
        env.board, solved, Actor.of(ENGINEER), "# 조치\n드라이버 재설치 900101-1234567"
    )
    solve(env, database, solved)
    for _ in range(2):
        proposals.propose_due(env.board, docs.store)
    docs.read()
    found = view.get_document(env.board, LEAD, 1)
    assert (found.line.institution, found.line.waiting, found.source) == (
        "MOF",
        True,
        f"issue:{solved}",
    )
    body = view.body_of(env.board, LEAD, 1, 1)
    assert "드라이버 재설치" in body and "1234567" not in body and f"/issues/{solved}" in body
    review.publish(env.board, LEAD, 1, 1)
    assert view.get_document(env.board, ENGINEER, 1).line.state == "PUBLISHED"


def test_foreign_text_makes_no_heading_of_its_own() -> None:
    text = text_of(SolvedIssue(7, "제목\n# 둘째", "---\nact: rm", ("# 지시",), "", None, "a"))
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# 제목 # 둘째",
        "## 증상",
        "## 조치",
        "## 출처",
    ]
