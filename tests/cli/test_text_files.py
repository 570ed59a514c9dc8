"""Text files that people name."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardia.cli.text_files import read_text
from guardia.errors import Invalid


def test_line_breaks_stay_and_a_mark_is_dropped(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes("\ufeff첫 줄\r\n둘째 줄\n".encode())
    assert read_text(file) == "첫 줄\r\n둘째 줄\n"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("none", "경로를 확인"), ("a.yaml/none", "경로를 확인"), (".", "폴더"),
        ("cp949", "UTF-8로 저장"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, expected: str) -> None:
    (tmp_path / "a.yaml").touch()
    (tmp_path / "cp949").write_bytes("한글".encode("cp949"))
    with pytest.raises(Invalid, match=expected):
        read_text(tmp_path / name)
