"""Passages keep their place, and tables stay tables."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from guardia.knowledge.passages import Block, cut, whole_text


def heading(text: str, level: int, **place: object) -> Block:
    return Block("heading", text, level, **place)  # type: ignore[arg-type]


def test_a_passage_has_the_headings_above_it() -> None:
    found = cut(
        [
            heading("점검 절차", 1),
            Block("text", "먼저 읽습니다."),
            heading("디스크", 2),
            Block("text", "df -h로 확인합니다."),
            heading("메모리", 2),
            Block("text", "free -m으로 확인합니다."),
            heading("부록", 1),
            Block("text", "문의처"),
        ]
    )
    assert [(p.heading_path, p.text) for p in found] == [
        (("점검 절차",), "먼저 읽습니다."),
        (("점검 절차", "디스크"), "df -h로 확인합니다."),
        (("점검 절차", "메모리"), "free -m으로 확인합니다."),
        (("부록",), "문의처"),
    ]
    assert [p.ordinal for p in found] == [1, 2, 3, 4]


def test_a_passage_crosses_no_page_and_no_sheet() -> None:
    found = cut(
        [Block("text", "가", page=1), Block("text", "나", page=2), Block("text", "다", page=2)]
    )
    assert [(p.page, p.text) for p in found] == [(1, "가"), (2, "나\n\n다")]
    sheets = cut(
        [
            heading("서버", 1, sheet="A"),
            Block("text", "x", sheet="A"),
            Block("text", "y", sheet="B"),
        ]
    )
    assert [(p.sheet, p.heading_path) for p in sheets] == [("A", ("서버",)), ("B", ())]


def test_each_part_of_a_long_table_repeats_its_header() -> None:
    rows = (("서버", "주소"), *((f"was-{n:02}", f"10.0.0.{n}") for n in range(60)))
    found = cut([Block("table", rows=rows)], most=300)
    assert len(found) > 3
    for passage in found:
        assert passage.text.startswith("| 서버 | 주소 |\n| --- | --- |\n| was-")
        assert len(passage.text) <= 300
    lines = [line for p in found for line in p.text.splitlines()[2:]]
    assert lines == [f"| was-{n:02} | 10.0.0.{n} |" for n in range(60)]


def test_a_bar_or_a_line_break_in_a_cell_does_not_break_the_table() -> None:
    (found,) = cut([Block("table", rows=(("명령", "뜻"), ("a | b", "둘\n줄")))])
    assert found.text.splitlines()[2] == r"| a \| b | 둘 줄 |"


def test_a_heading_without_text_is_still_found() -> None:
    found = cut([heading("비상 연락망", 1), heading("끝", 1), Block("text", "끝")])
    assert [(p.heading_path, p.text) for p in found] == [((), "비상 연락망"), (("끝",), "끝")]
    assert [p.text for p in cut([heading("하나", 1), heading("둘", 2)])] == ["둘"]


def test_the_digest_covers_headings_and_text() -> None:
    one, two = (cut([heading(name, 1), Block("text", "같은 글")])[0] for name in ("가", "나"))
    assert one.sha256 != two.sha256
    assert one.sha256 == cut([heading("가", 1), Block("text", "같은 글")])[0].sha256


_WORDS = st.text(alphabet="가나다 .\nab|", max_size=400)
_BLOCKS = st.lists(
    st.one_of(
        st.builds(Block, st.just("text"), _WORDS, page=st.sampled_from([None, 1, 2])),
        st.builds(Block, st.just("code"), _WORDS),
        st.builds(
            Block, st.just("heading"), st.text(alphabet="HX ", max_size=30), st.integers(1, 6)
        ),
    ),
    max_size=12,
)


@given(_BLOCKS, st.integers(40, 300))
def test_nothing_is_lost_and_nothing_is_too_long(blocks: list[Block], most: int) -> None:
    found = cut(blocks, most)
    assert all(0 < len(p.text) <= most for p in found)
    assert [p.ordinal for p in found] == list(range(1, len(found) + 1))

    def letters(texts: list[str]) -> str:
        return "".join(c for text in texts for c in text if c in "가나다.ab|")

    said = letters([block.text for block in blocks if block.kind != "heading"])
    assert letters([passage.text for passage in found]) == said
    for block in blocks:
        if block.kind == "heading" and (name := " ".join(block.text.split())):
            assert any(name in (*p.heading_path, p.text) for p in found)
    assert letters([whole_text(blocks)]) == said
