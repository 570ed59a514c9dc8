from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from guardia.board.command.names import Names
from guardia.board.command.openings import Openings, read_with_openings
from guardia.board.command.structure import Situation
from guardia.cli.evaluation import load_directory

NOW = datetime.fromisoformat("2026-11-20T14:00:00+09:00")
NAMES = Names(load_directory(Path(__file__).with_name("cases") / "directory.yaml"))


def openings(line: str) -> Openings | None:
    return read_with_openings(line, Situation("u-lead-1", NOW, 77), NAMES)[1]


@pytest.mark.parametrize(
    "line",
    [
        "#12 롤백해줘", "전체 정지", "#12 롤백하지 마세요", "#12 롤백하면 데이터가 날아가요?",
        "고생하셨어요", "고객이 #12 롤백해 달래요", "#12 중단했어요",
        "#12에 '다 멈춰' 라고 써있어요",
    ],
)  # fmt: skip
def test_what_the_grammar_understands_is_open_for_nothing(line: str) -> None:
    assert openings(line) is None


def test_only_what_the_line_names_can_be_chosen() -> None:
    found = openings("#31 MOF-DB-01 김철수 대리 알아서 잘 부탁드려요")
    assert found is not None
    assert found.issues == (31,) and set(found.targets) == {"MOF-DB-01", "u-eng-1"}
    assert not {"abort", "rollback", "approve", "run_action", "kill_all"} & set(found.actions)
    assert not found.works
