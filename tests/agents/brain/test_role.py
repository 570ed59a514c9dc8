"""Role files are found inside the package, and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from guardia.agents.brain import role
from guardia.errors import Misconfigured
from guardia.org import chart


def test_every_agent_of_the_shipped_chart_has_a_korean_role() -> None:
    shipped = chart.parse(chart.shipped().read_text("utf-8"))
    texts = [role.instructions(agent.role) for agent in shipped.agents]
    assert len(set(texts)) == len(shipped.agents)
    for text in texts:
        assert len(re.findall("[가-힣]", text)) > 200
        for heading in ("# 역할", "## 선택할 수 있는 것", "## 하지 않는 것", "## 사유 작성 기준"):
            assert heading in text


def test_an_agent_without_a_role_has_no_instructions() -> None:
    assert role.instructions(None) == ""


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A package folder with a role in it and a secret beside it."""
    room = tmp_path / "agents"
    (room / "roles").mkdir(parents=True)
    (room / "roles" / "good.md").write_text("# 역할\n")
    (room / "roles" / "long.md").write_text("가" * 8_001)
    (room / "roles" / "latin.md").write_bytes(b"\xff\xfe")
    (room / "code.py").write_text("x = 1\n")
    (tmp_path / "secret.md").write_text("비밀")
    (room / "roles" / "link.md").symlink_to(tmp_path / "secret.md")
    return room


def test_a_role_is_read_from_its_room(room: Path) -> None:
    assert role.instructions("roles/good.md", room) == "# 역할"


@pytest.mark.parametrize(
    "escape",
    [
        "../secret.md",
        "roles/../../secret.md",
        "roles/link.md",
        "code.py",
        "roles",
        "",
        "roles/none.md",
        "roles/long.md",
        "roles/latin.md",
        "roles/\0.md",
    ],
)
def test_a_role_elsewhere_or_unreadable_is_refused(room: Path, escape: str) -> None:
    with pytest.raises(Misconfigured):
        role.instructions(escape, room)


def test_an_absolute_path_is_refused(room: Path) -> None:
    with pytest.raises(Misconfigured):
        role.instructions(str(room.parent / "secret.md"), room)
