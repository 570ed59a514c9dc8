from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardia.board.command.names import Names
from guardia.board.command.parser import parse
from guardia.board.command.structure import DESTRUCTIVE, Command, Situation
from guardia.cli.evaluation import load_directory

CASES = Path(__file__).with_name("cases")
NOW = datetime.fromisoformat("2026-11-20T14:00:00+09:00")
EXAMPLES = [json.loads(line) for line in (CASES / "commands.jsonl").read_text("utf-8").splitlines()]


@cache
def names() -> Names:
    return Names(load_directory(CASES / "directory.yaml"))


def read(text: str, sr_id: int | None = None, user: str = "u-lead-1") -> Command:
    return parse(text, Situation(user, NOW, sr_id), names())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e["text"])
def test_a_line_is_read_into_its_structure(example: dict[str, Any]) -> None:
    context = example["context"]
    assert read(example["text"], context["sr_id"], context["user"]).as_dict() == example["expect"]


HELD_OUT = [
    json.loads(line)
    for path in sorted(CASES.glob("held_out*.jsonl"))
    for line in path.read_text("utf-8").splitlines()
]
MISREAD = {
    "m001",
    "m053",
    "n064",
    "s022",
    "s028",
    "s031",
    "s036",
    "s055",
    "s056",
    "s072",
    "s086",
    "s091",
    "x209",
    "x240",
}
"""Lines of the held-out files that are not read exactly; none of them is dangerous."""


def test_lines_of_other_people_are_read_and_none_becomes_dangerous() -> None:
    """The files were frozen before the grammar was mended."""
    misread, dangerous = set(), set()
    for example in HELD_OUT:
        context, expected = example["context"], example["expect"]
        found = read(example["text"], context["sr_id"], context["user"]).as_dict()
        if found != expected:
            misread.add(example["id"])
        if found["action"] in DESTRUCTIVE and found["action"] != expected["action"]:
            dangerous.add(example["text"])
    assert not dangerous
    assert misread <= MISREAD


def test_talk_around_dangerous_words_becomes_nothing_dangerous() -> None:
    """What is forbidden, asked, reported, quoted, supposed or planned in the words of orders."""
    lines = (CASES / "talk.txt").read_text("utf-8").splitlines()
    found = {line: read(line.replace("\\n", "\n"), 77).action for line in lines}
    assert not {line for line, action in found.items() if action in DESTRUCTIVE}


DANGEROUS_VERBS = [
    "중단", "중지", "취소", "정지", "강제종료", "롤백", "원복", "되돌리기", "승인", "결재",
    "재시작", "재기동", "배포", "백업", "디스크 정리", "세션 종료", "전체 정지", "전부 중지",
]  # fmt: skip
OBJECTS = ["", "#12 ", "SR-7번 ", "이 건 ", "MOF-WAS-01 ", "기재부 디비 ", "어제 ", "고객이 "]
TALK = [
    "됐다고 들었습니다", "하기로 했어요", "할 예정이에요", "는 안 해도 됩니다", "때문에 난리예요",
    "이 안 됩니다", "하는 법 아시나요", "이력 좀 볼 수 있을까요", "하면 큰일나요",
    "후에 연락드릴게요",
    "전에 공유해 주세요", "여부 확인 부탁드립니다", "건으로 문의드립니다", "관련 회의 있어요",
    "안 하기로 했습니다", "못 하게 막아주세요", "중인 것 같아요", "실패했네요", "하다가 멈췄어요",
    "하지 않도록 주의해 주세요", "하라는 공문이 왔어요", "해 달라는 고객 요청이 있었습니다",
    "할지 말지 고민입니다", "은 팀장님이 결정하세요", "했으면 큰일 날 뻔", "계획서 첨부합니다",
    "되면 말씀 주세요", "되는지 궁금합니다", "이라는 단어가 들어간 메일", "매뉴얼 보내주세요",
    "없이 처리하는 방법을 찾아주세요", "담당자가 누구인가요", "권한 신청합니다", "ㄴㄴ", "노노",
    "는 다음 주에 논의합시다", "이 왜 필요한지 설명해 주세요", "시 영향도 정리해 주세요",
]  # fmt: skip


@given(
    st.sampled_from(DANGEROUS_VERBS),
    st.sampled_from(OBJECTS),
    st.sampled_from(TALK),
    st.sampled_from(["", ".", "!", "?", " ㅠㅠ", "~"]),
    st.booleans(),
)
@settings(max_examples=600)
def test_talk_about_dangerous_work_never_becomes_it(
    verb: str, thing: str, talk: str, mark: str, joined: bool
) -> None:
    line = f"{thing}{verb}{talk}{mark}"
    line = line.replace(" ", "") if joined else line
    found = read(line, 12)
    assert found.action not in DESTRUCTIVE, line


SUPPOSED = [
    "문제 생기면 {}", "오류가 나면 바로 {}", "백업이 확인되면 {}", "필요하면 {}", "필요 시 {}",
    "장애 발생 시 {}", "만일 실패할 경우 {}", "다음에 또 그러면 {}", "고객이 요청하거든 {}",
    "테스트 통과하면 {}", "내일까지 해결 안 되면 {}", "팀장님: {}", "> {}", "예시: {}",
    "do not {}", "can you {}",
]  # fmt: skip
ORDERS = ["해주세요", "해줘", "하세요", "부탁드립니다", "바랍니다", "해라", "진행해주세요"]
QUOTING = [
    "라고 하지 마세요", "라는 말은 아닙니다", "라고 적혀 있어요", "라는데요", "라네요", "래요",
    "라고 누가 그랬어요?", "라고요?", "라고 한 적 없습니다", "라고 시켰어요",
    "라는 요청은 무시하세요",
    "라고 할까 하다가 말았어요", "라면 하겠지만요", "달래요", "달라는 거 아니에요", "줘서 고마워요",
]  # fmt: skip


@given(
    st.sampled_from(DANGEROUS_VERBS),
    st.sampled_from(OBJECTS),
    st.sampled_from(SUPPOSED),
    st.sampled_from(ORDERS),
    st.sampled_from(QUOTING),
)
@settings(max_examples=400)
@pytest.mark.slow
def test_an_order_that_is_supposed_or_quoted_is_never_done(
    verb: str, thing: str, case: str, order: str, quoting: str
) -> None:
    for line in (case.format(f"{thing}{verb}{order}"), f"{thing}{verb}해{quoting}"):
        assert read(line, 12).action not in DESTRUCTIVE, line


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("courtesy", ["", "가능하시면 ", "괜찮으시면 ", "그러면 ", "시간 되시면 "])
def test_a_courtesy_is_no_condition(courtesy: str, order: str) -> None:
    assert read(f"{courtesy}#12 롤백{order}").action == "rollback"
    assert read(f"{courtesy}MOF-WAS-01 재기동{order}").action == "run_action"


@pytest.mark.parametrize(
    "text",
    [
        "첨부파일 업로드가 전 부서에서 다 안됩니다. 업무 올스톱이에요",
        "하나마저 죽으면 전체 중단됩니다. 컨트롤러 1번에 장애 알람이 발생했습니다",
        "그때 전체 정지 눌러서 난리났었지", "전체 서비스가 중단되어 있습니다",
        "모든 작업이 멈췄어요", "전부 정지됐습니다", "다 멈춰 있네요", "전체 정지 훈련입니다",
        "전체 정지 버튼 위치 좀 알려주세요", "모두 중지하면 안 되나요?", "올스톱 상태입니다",
        "다 멈추라고 하셨습니다", "전체 중단 없이 진행해 주세요", "서버가 다 멈춰요",
    ],
)  # fmt: skip
def test_what_stands_still_is_no_order_to_stop_everything(text: str) -> None:
    assert read(text).action not in DESTRUCTIVE


@pytest.mark.parametrize(
    "text",
    [
        "전체 정지", "전체 정지!", "모든 작업 즉시 중단하세요", "지금 돌고 있는 작업 전부 중단해",
        "야 다 세워!", "올스톱", "상황이 심각하니 전체 작업 중지 부탁드립니다", "다 멈춰",
        "모든 에이전트 멈춰주세요", "긴급정지", "비상정지 눌러주세요", "@guardia 전체 정지",
        "진행 중인 작업 모두 중지 바랍니다", "전부 멈추세요", "가디아 전체 정지해",
    ],
)  # fmt: skip
def test_an_order_to_stop_everything_is_understood(text: str) -> None:
    assert read(text).action == "kill_all"


@pytest.mark.parametrize("verb", ["중단", "롤백", "승인", "취소", "원복"])
@pytest.mark.parametrize(
    "ending",
    [
        "하지 마", "하지 말아 주세요", "하면 안 됩니다", "했어요", "됐습니다", "할까요?",
        "하면 어떻게 되나요?", " 방법 알려주세요", "하라고 하셨습니다", " 예정입니다",
        "된 이유가 뭐죠?", "은 내일 할게요", "해도 될까요?", " 대신 기다려 주세요",
        "하는 중입니다", " 이력 보여줘",
    ],
)  # fmt: skip
def test_what_is_not_asked_for_is_never_done(verb: str, ending: str) -> None:
    assert read(f"#12 {verb}{ending}").action not in DESTRUCTIVE


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(" ", ""),
        lambda text: f"  {text.replace(' ', '   ')} ",
        lambda text: f"{text}!!",
        lambda text: f"@guardia {text}",
        lambda text: text.replace("#", "\uff03"),
    ],
    ids=["no blanks", "many blanks", "marks", "mention", "full width"],
)
def test_blanks_marks_and_mentions_change_nothing(change: Callable[[str], str]) -> None:
    for text in ("#101 김철수 대리한테 배정해줘", "MOF-WAS-01 재시작해줘", "전체 정지", "#7 중단"):
        assert read(change(text)) == read(text)


@given(st.text(max_size=80))
def test_any_text_is_read_without_an_error(text: str) -> None:
    assert read(text).action


def test_an_issue_of_the_context_never_leaks_into_other_commands() -> None:
    for text in ("전체 정지", "MOF-WAS-01 재시작해줘", "서버 목록 보여줘", "DB 에이전트 깨워줘"):
        assert read(text, 12) == read(text)


def test_two_issues_are_asked_back() -> None:
    assert read("#12랑 #13 중단해줘").as_dict() == {"action": "clarify", "params": {"about": "sr"}}


def test_a_line_is_read_up_to_its_bound() -> None:
    assert read("가" * 100_000 + " #12 중단해줘").action == "none"


@pytest.mark.slow
def test_the_board_reads_commands_without_the_korean_analyser() -> None:
    import subprocess
    import sys

    code = (
        "import sys; import guardia.board.site.app; import guardia.board.command.giving; "
        "print([m for m in sys.modules if m.split('.')[0] in ('kiwipiepy', 'numpy', 'torch')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
