"""Role files are found inside the package only."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from guardia.agents.brain import role
from guardia.errors import Misconfigured
from guardia.org import chart


def test_every_agent_of_the_shipped_chart_has_a_korean_role() -> None:
    shipped = chart.parse(chart.shipped_chart_path().read_text("utf-8"))
    texts = [role.instructions(agent.role) for agent in shipped.agents]
    assert len(set(texts)) == len(shipped.agents)
    for text in texts:
        assert len(re.findall("[가-힣]", text)) > 200
        for heading in ("# 역할", "## 선택할 수 있는 것", "## 하지 않는 것", "## 사유 작성 기준"):
            assert heading in text


def test_an_agent_without_a_role_has_no_instructions() -> None:
    assert role.instructions(None) == ""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A package folder with a role in it and a secret beside it."""
    folder = tmp_path / "agents"
    (folder / "roles").mkdir(parents=True)
    (folder / "roles" / "good.md").write_text("# 역할\n")
    (folder / "roles" / "long.md").write_text("가" * 8_001)
    (folder / "roles" / "latin.md").write_bytes(b"\xff\xfe")
    (folder / "code.py").write_text("x = 1\n")
    (tmp_path / "secret.md").write_text("비밀")
    (folder / "roles" / "link.md").symlink_to(tmp_path / "secret.md")
    return folder


def test_a_role_is_read_from_its_package(folder: Path) -> None:
    assert role.instructions("roles/good.md", folder) == "# 역할"


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
def test_a_role_elsewhere_or_unreadable_is_refused(folder: Path, escape: str) -> None:
    with pytest.raises(Misconfigured):
        role.instructions(escape, folder)


def test_an_absolute_path_is_refused(folder: Path) -> None:
    with pytest.raises(Misconfigured):
        role.instructions(str(folder.parent / "secret.md"), folder)
