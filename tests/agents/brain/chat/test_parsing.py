"""Any text of a model is parsed to a choice of what was offered, or rejected."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardia.agents.brain.chat.parsing import (
    Category,
    choice_schema,
    parse_choice,
    parse_triage,
    triage_schema,
)
from guardia.agents.brain.triage.classify import Triage
from guardia.agents.brain.triage.lexicon import lexicon
from guardia.errors import ModelError
from guardia.org.directory import Host, InstitutionInfo

SERVERS = (
    Host(server_id="MOF-DB-01", institution="MOF", kind="DB"),
    Host(server_id="MOE-WEB-01", institution="MOE", kind="WEB"),
)
INSTITUTIONS = (
    InstitutionInfo(id="MOF", name="기획재정부", aliases=("기재부",)),
    InstitutionInfo(id="MOE", name="교육부"),
)
RUNBOOKS = ("db-lock-chain", "was-hung")
GOOD: dict[str, Any] = {
    "reasons": ["'느려요'라고 하여 장애로 보았습니다."],
    "kind": "INCIDENT",
    "category": "DB",
    "priority": "P2",
    "servers": ["MOF-DB-01"],
    "action_type": "NONE",
    "institution": "NONE",
}


def triaged(**changed: Any) -> Triage:
    """Parse the good answer with some changes."""
    answer = json.dumps({**GOOD, **changed}, ensure_ascii=False)
    return parse_triage(answer, SERVERS, INSTITUTIONS)


def values(schema: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for everything that `schema` permits."""
    if schema["type"] == "object":
        return st.fixed_dictionaries({n: values(s) for n, s in schema["properties"].items()})
    if schema["type"] == "array":
        return st.lists(values(schema["items"]), max_size=schema["maxItems"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    return st.from_regex(schema["pattern"], fullmatch=True)


TEXTS = st.text(max_size=20)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
# Valid except in some fields.
SPOILT: st.SearchStrategy[Any] = st.dictionaries(
    st.sampled_from([*GOOD, "extra"]), JSON | st.sampled_from([[x] for x in ("NONE", "P9")])
).map(lambda changed: {**GOOD, **changed})


def check_triage(found: Triage) -> None:
    """Check that everything is from the catalog and the reasons are plain."""
    assert found.kind in ("INCIDENT", "REQUEST", "CHANGE", "QUESTION")
    assert found.category in Category.__args__  # type: ignore[attr-defined]
    assert found.priority in ("P1", "P2", "P3", "P4")
    assert set(found.servers) <= {s.server_id for s in SERVERS}
    assert len(set(found.servers)) == len(found.servers)
    assert found.action_type is None or found.action_type in lexicon().categories | dict.fromkeys(
        ("RESTART", "LOG_ANALYSIS", "HEALTH_CHECK")
    )
    assert found.institution in (None, "MOF", "MOE")
    assert 1 <= len(found.reasons) <= 3
    for reason in found.reasons:
        check_reason(reason)


def check_reason(reason: str) -> None:
    """Check for a short Korean sentence without markup."""
    assert re.search("[가-힣]", reason)
    assert len(reason) <= 160
    assert not re.search(r"[`<>\[\]{}*|\\@#!\x00-\x1f\u202e\u200b]|://", reason)


def test_a_valid_answer_is_parsed() -> None:
    assert triaged() == Triage(
        kind="INCIDENT",
        category="DB",
        priority="P2",
        servers=("MOF-DB-01",),
        action_type=None,
        institution="MOF",
        reasons=("'느려요'라고 하여 장애로 보았습니다.",),
    )


def test_the_institution_comes_from_the_directory() -> None:
    assert triaged(institution="MOE").institution == "MOF"
    assert triaged(servers=[], institution="MOE").institution == "MOE"


def test_none_and_repetitions_among_servers_are_dropped() -> None:
    assert triaged(servers=["MOE-WEB-01", "NONE", "MOE-WEB-01"]).servers == ("MOE-WEB-01",)


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": "incident"},
        {"category": "KERNEL"},
        {"priority": "P0"},
        {"priority": 2},
        {"servers": ["MOIS-SEC-01"]},
        {"servers": "MOF-DB-01"},
        {"servers": ["MOF-DB-01"] * 9},
        {"action_type": "rm -rf /"},
        {"action_type": None},
        {"institution": "NIS"},
        {"reasons": ["가"] * 4},
        {"reasons": ["가" * 161]},
        {"reasons": ["한 줄\n두 줄"]},
        {"approve": True},
    ],
)
def test_anything_else_is_an_error(changed: dict[str, Any]) -> None:
    with pytest.raises(ModelError):
        triaged(**changed)


@pytest.mark.parametrize("missing", GOOD)
def test_every_property_is_required(missing: str) -> None:
    answer = json.dumps({k: v for k, v in GOOD.items() if k != missing})
    with pytest.raises(ModelError):
        parse_triage(answer, SERVERS, INSTITUTIONS)


@pytest.mark.parametrize(
    "text", ["", "네!", "```json\n{}\n```", "[" * 100_000, "null", "{}", "\ud800"]
)
def test_anything_but_a_json_object_is_an_error(text: str) -> None:
    with pytest.raises(ModelError):
        parse_triage(text, SERVERS, INSTITUTIONS)
    with pytest.raises(ModelError):
        parse_choice(text, RUNBOOKS)


def test_the_error_never_repeats_what_the_model_wrote() -> None:
    with pytest.raises(ModelError) as caught:
        triaged(**{"지금 승인하세요": 1})
    assert "승인" not in str(caught.value)
    with pytest.raises(ModelError) as caught:
        triaged(servers=["지금 승인하세요"])
    assert "승인" not in str(caught.value)


def test_reasons_lose_markup_links_mentions_and_invisible_characters() -> None:
    reason = "팀장님 @정다은 [승인](http://evil.example/a) `rm` <b>급함</b> #42\u202e\u200b합니다"
    (plain,) = triaged(reasons=[reason]).reasons
    check_reason(plain)
    assert plain.startswith("팀장님 정다은 승인")


def test_reasons_that_are_not_korean_are_replaced() -> None:
    (said,) = triaged(reasons=["The database is slow."]).reasons
    assert said == "모델이 한국어 사유를 제시하지 않았습니다."
    assert triaged(reasons=["slow", "느립니다."]).reasons == ("느립니다.",)
    assert len(triaged(reasons=[]).reasons) == 1


def test_a_choice_is_one_of_the_runbooks_or_none() -> None:
    def chosen(runbook: Any) -> str | None:
        answer = json.dumps({"reason": "잠금을 봅니다.", "runbook": runbook}, ensure_ascii=False)
        found = parse_choice(answer, RUNBOOKS)
        assert found.reason == "잠금을 봅니다."
        return found.runbook

    assert chosen("was-hung") == "was-hung"
    assert chosen("NONE") is None
    for strange in ("disk-full", "", None, ["was-hung"], "WAS-HUNG"):
        with pytest.raises(ModelError):
            chosen(strange)


@settings(deadline=None)
@given(values(triage_schema(SERVERS, INSTITUTIONS)))
@pytest.mark.slow
def test_any_answer_of_the_schema_is_parsed(answer: Any) -> None:
    check_triage(parse_triage(json.dumps(answer), SERVERS, INSTITUTIONS))


@settings(deadline=None)
@given(values(choice_schema(RUNBOOKS)))
def test_any_answer_of_the_choice_schema_is_parsed(answer: Any) -> None:
    found = parse_choice(json.dumps(answer), RUNBOOKS)
    assert found.runbook in (None, *RUNBOOKS)
    check_reason(found.reason)


@pytest.mark.slow
@settings(deadline=None)
@given((JSON | SPOILT).map(json.dumps) | st.text())
def test_any_text_is_a_valid_triage_or_an_error(text: str) -> None:
    try:
        found = parse_triage(text, SERVERS, INSTITUTIONS)
    except ModelError:
        return
    check_triage(found)


@settings(deadline=None)
@given(JSON.map(json.dumps) | st.text())
def test_any_text_is_a_valid_choice_or_an_error(text: str) -> None:
    try:
        found = parse_choice(text, RUNBOOKS)
    except ModelError:
        return
    assert found.runbook in (None, *RUNBOOKS)
