"""Chat rooms and their rules: matching, validation and changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from guardia.errors import Misconfigured
from guardia.org import chart, chart_diff
from guardia.org.chat_rules import ChatRule, ChatRules, TalkLine

SHIPPED = chart.shipped_chart_path().read_text("utf-8")
CASES = yaml.safe_load((Path(__file__).parent / "cases" / "talk.yaml").read_text("utf-8"))
HEAD = SHIPPED[: SHIPPED.index("\ntalk:")]
RULES = HEAD + (
    "\ntalk:\n"
    "  rooms: [ops-talk, 잡담]\n"
    "  rules:\n"
    "    - {id: one, title: 하나, find: [[가나]], rooms: [잡담]}\n"
    "    - {id: two, title: 둘, find: [[가나], [다라]], unless: [아님], skill: DB, cooldown: 1h}\n"
)


NOW = datetime(2026, 11, 30, tzinfo=UTC)


def rule_for(rules: ChatRules, room: str, *lines: str) -> ChatRule | None:
    """Return the rule that fires on the last of some lines, one a minute."""
    parts = [one.split(": ", 1) if ": " in one else ["a", one] for one in lines]
    talk = [TalkLine(w, x, NOW + timedelta(minutes=n)) for n, (w, x) in enumerate(parts)]
    return rules.firing_rule(room, talk)


def chat_rules(text: str = RULES) -> ChatRules:
    return chart.parse(text).talk


@pytest.mark.parametrize(
    ("line", "rule"), [(line, rule) for rule, lines in CASES.items() for line in lines]
)
def test_the_shipped_rules_match_what_people_write(line: str, rule: str) -> None:
    found = rule_for(chat_rules(SHIPPED), "ops-talk", line)
    assert (found.id if found else "nothing") == rule


def test_a_line_must_match_every_list_and_no_exclusion() -> None:
    assert rule_for(chat_rules(), "ops-talk", "가나다라") is not None
    assert rule_for(chat_rules(), "ops-talk", "가나") is None
    assert rule_for(chat_rules(), "ops-talk", "가나 다라 아님") is None


def test_the_first_matching_rule_of_the_room_wins() -> None:
    for room, rule in (("잡담", "one"), ("ops-talk", "two"), ("OPS-Talk", "two")):
        found = rule_for(chat_rules(), room, "가나다라")
        assert found is not None and found.id == rule
    assert chat_rules().rule("two") is not None and chat_rules().rule("gone") is None
    assert found.cooldown == timedelta(hours=1)


SEVERAL = HEAD + (
    "\ntalk:\n"
    "  rooms: [ops-talk]\n"
    "  rules:\n"
    "    - {id: many, title: 여럿, find: [[DB], [느려, 지연]], unless: [해결],\n"
    "       lines: 3, people: 2}\n"
    "    - {id: split, title: 나뉨, find: [[인증서], [만료]], across: true, within: 2m}\n"
)


@pytest.mark.parametrize(
    ("lines", "rule"),
    [
        (["a: DB 느려요", "b: DB 지연 있네요", "a: DB 계속 느려요"], "many"),
        (["a: DB 느려요", "a: DB 지연", "a: DB 느려요"], None),
        (["a: DB 느려요", "b: DB 지연"], None),
        (["a: DB 느려요", "b: DB 지연", "a: 점심 뭐 먹죠"], None),
        (["a: DB 느려요", "b: DB 지연", "b: 해결됐어요", "a: DB 느려요"], None),
        (["a: DB 느려요", *(["c: 잡담"] * 10), "b: DB 지연", "a: DB 느려요"], None),
        (["a: 인증서 말인데요", "b: 내일 만료래요"], "split"),
        (["a: 만료", "b: 만료"], None),
        (["a: 인증서 말인데요", "c: 네", "c: 음", "b: 내일 만료래요"], None),
    ],
)
def test_a_rule_may_look_at_several_lines_of_several_people(
    lines: list[str], rule: str | None
) -> None:
    found = rule_for(chat_rules(SEVERAL), "ops-talk", *lines)
    assert (found.id if found else None) == rule


def test_a_rule_says_why_it_finds_a_line() -> None:
    (many, _) = chat_rules(SEVERAL).rules
    assert many.explain("DB가 느려요").found == ("DB", "느려")
    said = many.explain("DB 지연 해결")
    assert said.vetoed_by == "해결" and not said.matches
    assert many.explain("화면이 느려요").found == (None, "느려")


def test_only_listed_rooms_are_chat_rooms() -> None:
    assert chat_rules().is_chat_room(" ops-talk") and not chat_rules().is_chat_room("ops")
    assert not ChatRules().is_chat_room("") and not ChatRules().is_chat_room("ops-talk")


@pytest.mark.parametrize(
    "text", ["가디아 DB 봐줘", "@GUARDiA, 확인", "가디아님 확인", "~가디아야!"]
)
def test_a_line_that_begins_with_a_name_addresses_guardia(text: str) -> None:
    assert chat_rules().is_addressed(text)


@pytest.mark.parametrize("text", ["가디아가 그랬대요", "어제 가디아", "", "…", "님 안녕"])
def test_a_line_that_merely_names_it_does_not(text: str) -> None:
    assert not chat_rules().is_addressed(text)


BAD = HEAD + (
    "\ntalk:\n"
    "  rooms: [ops-talk, ' ']\n"
    "  names: ['@가디아', 가디아 봇]\n"
    "  rules:\n"
    "    - {id: kill, title: 하나, find: [[가나]]}\n"
    "    - {id: two, title: 둘, find: [[가 나 다 라 마, '!!'], []], cooldown: 2d}\n"
    "    - {id: two, title: 셋, find: [], room: [x], priority: P9}\n"
    "  keep: 1d\n"
)
DISAGREEING = HEAD + (
    "\ntalk:\n"
    "  rooms: [ops-talk]\n"
    "  rules:\n"
    "    - {id: two, title: 둘, find: [[가]], rooms: [ops-talk, 없는방]}\n"
    "    - {id: two, title: 셋, find: [[가]], skill: 요리}\n"
    "    - {id: link, title: 넷, find: [[가]]}\n"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            BAD,
            [
                (1, "talk.rooms.1", "한 줄로"),
                (2, "talk.names.1", "한 단어로"),
                (5, "talk.rules.two.find.0.0", "단어 1~4개"),
                (5, "talk.rules.two.find.0.1", "단어 1~4개"),
                (5, "talk.rules.two.find.1", "1개 이상"),
                (5, "talk.rules.two.cooldown", "1d"),
                (6, "talk.rules.two.find", "1개 이상"),
                (6, "talk.rules.two.room", "rooms를 입력하려던"),
                (6, "talk.rules.two.priority", "P1"),
                (7, "talk.keep", "2d"),
            ],
        ),
        (
            DISAGREEING,
            [
                (3, "talk.rules.two.rooms.1", "없는방"),
                (4, "talk.rules.two.id", "이미 사용 중"),
                (4, "talk.rules.two.skill", "DB"),
                (5, "talk.rules.link.id", "이미 사용 중"),
            ],
        ),
    ],
    ids=["by themselves", "with one another"],
)
def test_problems_are_reported_with_path_and_remedy(
    text: str, expected: list[tuple[int, str, str]]
) -> None:
    with pytest.raises(Misconfigured) as raised:
        chart.parse(text)
    found = str(raised.value).splitlines()[1:]
    first = HEAD.count("\n") + 2
    for line, (row, path, remedy) in zip(found, expected, strict=True):
        assert line.startswith(f"  {first + row}행") and f" {path}: " in line and remedy in line


def test_changes_of_rules_and_of_their_order_are_listed_one_by_one() -> None:
    before = chart.parse(RULES)
    new = "    - {id: new, title: 새, find: [[마]]}\n"
    after = chart.parse(RULES.replace("cooldown: 1h", "cooldown: 2h") + new)
    changes = [str(c) for c in chart_diff.diff_charts(before, after)]
    assert changes[0] == "변경: talk.rules.two.cooldown: 1h → 2h"
    assert len(changes) == 2 and "talk.rules.new" in changes[1]
    lines = RULES.splitlines()
    lines[-1], lines[-2] = lines[-2], lines[-1]
    (order,) = chart_diff.diff_charts(before, chart.parse("\n".join(lines)))
    assert (order.path, order.before, order.after) == ("talk.rules", "one, two", "two, one")
