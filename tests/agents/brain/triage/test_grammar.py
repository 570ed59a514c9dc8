"""Denied, hypothetical and past, in the ways people write it."""

from __future__ import annotations

import pytest

from guardia.agents.brain.triage.lexicon import lexicon
from guardia.agents.brain.triage.reading import ConceptHit, read_request


def hits(text: str, concept: str) -> list[ConceptHit]:
    return read_request(text, lexicon()).all(concept)


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("장애는 아닙니다", "fault.error"),
        ("지금 장애 상황 아닙니다", "fault.error"),
        ("업무가 멈춘 것은 아니지만 느립니다", "fault.down"),
        ("침해 정황은 없습니다", "fault.breach"),
        ("침투된 흔적은 없습니다", "fault.breach"),
        ("아직 뚫리진 않았습니다", "fault.breach"),
        ("재기동은 하지 말아 주세요", "action.RESTART"),
        ("재기동하지 마시고 원인만 봐주세요", "action.RESTART"),
        ("재기동 말고 확인만 해주세요", "action.RESTART"),
        ("재기동 안 하셔도 됩니다", "action.RESTART"),
        ("배포는 아직 하지 말아 주세요", "action.DEPLOY"),
        ("배포는 취소해 주세요", "action.DEPLOY"),
        ("오류는 안 납니다", "fault.error"),
        ("안 급합니다", "when.urgent"),
    ],
)
def test_denied(text: str, concept: str) -> None:
    found = hits(text, concept)
    assert found and all(h.denied for h in found)


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("접속이 안 됩니다", "fault.outage"),
        ("열리지 않습니다", "fault.down"),
        ("장애가 났습니다", "fault.error"),
        ("악성코드 아닌가요", "fault.breach"),
        ("재기동해 주세요", "action.RESTART"),
        ("서비스가 다운됐나 봐요", "fault.outage"),
    ],
)
def test_facts(text: str, concept: str) -> None:
    assert any(h.is_fact for h in hits(text, concept))


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("오늘 실패하면 백업본이 없습니다", "fault.error"),
        ("꽉 차면 전 직원이 저장을 못 합니다", "scope.wide"),
        ("배치가 실패할 수 있습니다", "fault.error"),
        ("반영되지 않으면 접수가 중단됩니다", "fault.down"),
        ("접속이 안 될 때 연락처", "fault.outage"),
        ("느려질 것 같습니다", "fault.slow"),
    ],
)
def test_hypothetical(text: str, concept: str) -> None:
    found = hits(text, concept)
    assert found and all(h.supposed for h in found)


def test_the_result_of_a_users_action_is_a_fact() -> None:
    assert any(h.is_fact for h in hits("로그인하면 오류가 납니다", "fault.error"))


def test_past() -> None:
    assert all(h.past for h in hits("어제 재기동했는데도 느립니다", "action.RESTART"))
    assert not any(h.past for h in hits("재기동 부탁드립니다", "action.RESTART"))
