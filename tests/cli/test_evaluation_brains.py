"""`guardia eval requests` and `goals`: figures of a file of examples."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from command_line import output, refusal
from fake_chat import GOOD_ANSWER
from model_server import MODEL, CannedReply, ModelServer
from triage_directory import CASES

from guardia.errors import Invalid, NotFound

DIRECTORY = str(CASES / "directory.yaml")
SLOW: dict[str, Any] = {
    "kind": "INCIDENT", "category": "DB", "priority": "P2", "servers": ["MOF-DB-01"],
    "action_type": None,
}  # fmt: skip


def examples(folder: Path, *rows: tuple[str, dict[str, Any]]) -> str:
    path = folder / "examples.jsonl"
    lines = [json.dumps({"text": text, "expect": expect}) for text, expect in rows]
    path.write_text("\n".join(lines), "utf-8")
    return str(path)


def chart(folder: Path, url: str) -> str:
    """The shipped chart, whose dispatcher has a chat model."""
    from guardia.org.chart import shipped_chart_path

    head, rest = shipped_chart_path().read_text("utf-8").split("  - id: dispatcher\n")
    entry, others = rest.split("  - id: ", 1)
    kept = re.sub(r"(?m)^    brain:.*\n(?:      .*\n)*", "", entry)
    model = f"    brain: {{kind: chat, base_url: {url}, model: {MODEL}}}\n"
    path = folder / "chart.yaml"
    path.write_text(f"{head}  - id: dispatcher\n{model}{kept}  - id: {others}", "utf-8")
    return str(path)


@pytest.mark.slow
def test_shares_by_field_in_percent(tmp_path: Path) -> None:
    file = examples(
        tmp_path,
        ("기재부 운영DB 쿼리가 너무 느려요", SLOW),
        ("기재부 운영DB 쿼리가 너무 느려요", {**SLOW, "priority": "P1"}),
    )
    found = json.loads(output("eval", "requests", file, "--directory", DIRECTORY, "--json"))
    shares = {n: found[n] for n in ("exact", "kind", "category", "priority", "servers")}
    assert shares == {
        "exact": 50.0, "kind": 100.0, "category": 100.0, "priority": 50.0, "servers": 100.0,
    }  # fmt: skip
    assert found["action_type"] == 100.0 and found["count"] == 2
    shown = output("eval", "requests", file, "--directory", DIRECTORY)
    assert "P1 > P2: 1" in shown


def test_a_brain_of_the_chart_is_measured(tmp_path: Path) -> None:
    with ModelServer() as server:
        server.replies(CannedReply(GOOD_ANSWER))
        measure_a_brain(tmp_path, server)


def measure_a_brain(tmp_path: Path, server: ModelServer) -> None:
    file = examples(tmp_path, ("기재부 운영DB 쿼리가 너무 느려요", SLOW))
    options = ("--brain", "dispatcher", "--chart", chart(tmp_path, server.url))
    given = ("eval", "requests", file, "--directory", DIRECTORY, "--json", *options)
    found = json.loads(output(*given))
    assert found["by"] == {f"chat:{MODEL}": 1}
    assert (found["calls"], found["tokens_in"], found["tokens_out"]) == (1, 30, 12)
    assert (found["won"], found["lost"]) == (0, 0)


def test_an_unknown_brain_is_refused(tmp_path: Path) -> None:
    file = examples(tmp_path, ("느려요", SLOW))
    options = ("--directory", DIRECTORY, "--brain", "ghost")
    assert "ghost" in refusal(NotFound, "eval", "requests", file, *options)


def test_a_line_without_an_answer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"text": "느려요"}', "utf-8")
    said = refusal(Invalid, "eval", "requests", str(path), "--directory", DIRECTORY)
    assert "bad.jsonl:1" in said


@pytest.mark.parametrize(("action", "share"), [("RESTART", 100.0), ("BACKUP", 0.0)])
def test_goals_are_compared_by_their_work(tmp_path: Path, action: str, share: float) -> None:
    work = [{"category": "WAS", "action_type": action, "servers": ["MOF-WAS-01"]}]
    file = examples(tmp_path, ("기재부 와스 1호기를 재기동해 주세요", {"work": work}))
    found = json.loads(output("eval", "goals", file, "--directory", DIRECTORY, "--json"))
    assert found["exact"] == share


GOAL = "기재부 시스템을 월말까지 안정화해 주세요"
PLAN: dict[str, Any] = {
    "reason": "안정화라고 하여 상태를 먼저 봅니다.",
    "sure": "YES",
    "pieces": [
        {
            "title": "DB 상태 점검",
            "category": "DB",
            "action_type": "HEALTH_CHECK",
            "server": "MOF-DB-01",
        }
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("server", "expected"), [("MOF-DB-01", (1, 0, 100.0)), ("MOF-WAS-01", (0, 0, 0.0))]
)
def test_a_brain_gains_on_goals_what_the_rules_do_not_see(
    tmp_path: Path, server: str, expected: tuple[int, int, float]
) -> None:
    work = [{"category": "DB", "action_type": "HEALTH_CHECK", "servers": [server]}]
    file = examples(tmp_path, (GOAL, {"work": work}))
    # The window of the smallest model that is used.
    with ModelServer(window=4_096) as model:
        model.replies(CannedReply(PLAN))
        options = ("--brain", "dispatcher", "--chart", chart(tmp_path, model.url))
        given = ("eval", "goals", file, "--directory", DIRECTORY, "--json", *options)
        found = json.loads(output(*given))
    assert (found["won"], found["lost"], found["exact"]) == expected and found["calls"] == 1


UNCLEAR = "#31 이거 알아서 잘 부탁드려요"
NOTHING = dict.fromkeys(("sr_id", "target", "work", "priority", "mode", "about"), "NONE")


def command_examples(folder: Path, text: str, expect: dict[str, Any]) -> str:
    path = folder / "commands.jsonl"
    context = {"sr_id": None, "user": "u-lead-1", "channel": "web"}
    row = {"id": "1", "text": text, "context": context, "expect": expect}
    path.write_text(json.dumps(row), "utf-8")
    return str(path)


def evaluate_commands(folder: Path, file: str, answer: dict[str, Any]) -> dict[str, Any]:
    with ModelServer(window=4_096) as model:
        model.replies(CannedReply(NOTHING | answer))
        options = ("--brain", "dispatcher", "--chart", chart(folder, model.url))
        given = ("eval", "commands", file, "--directory", DIRECTORY, "--json", *options)
        found: dict[str, Any] = json.loads(output(*given))
        return found


def test_a_brain_reads_a_command_of_which_the_grammar_is_unsure(tmp_path: Path) -> None:
    file = command_examples(tmp_path, UNCLEAR, {"action": "resume", "sr_id": 31})
    found = evaluate_commands(tmp_path, file, {"action": "resume", "sr_id": "31"})
    assert (found["exact"], found["won"], found["lost"]) == (100.0, 1, 0)
    assert found["by"] == {f"chat:{MODEL}": 1}
    assert (found["calls"], found["tokens_in"], found["tokens_out"]) == (1, 30, 12)
    assert found["sr_id"] == 100.0 and found["seconds"] > 0


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (UNCLEAR, {"action": "rollback", "sr_id": "31"}),
        (UNCLEAR, {"action": "resume", "sr_id": "99"}),
        (UNCLEAR, {"action": "kill_all"}),
        ("#31 롤백하지 마세요", {"action": "rollback", "sr_id": "31"}),
        ("MOF-WAS-01 재시작하면 세션이 끊기나요?", {"action": "run_action", "target": "MOF-WAS-01",
                                       "work": "RESTART"}),
    ],
    ids=["not seen", "another issue", "everything", "forbidden", "only asked"],
)  # fmt: skip
@pytest.mark.slow
def test_a_brain_makes_nothing_destructive_that_the_grammar_did_not_see(
    tmp_path: Path, text: str, answer: dict[str, Any]
) -> None:
    file = command_examples(tmp_path, text, {"action": "none"})
    found = evaluate_commands(tmp_path, file, answer)
    assert found["destructive_false_positives"] == 0 and found["won"] == 0
