"""One case for each rule, next to one that it must not match."""

from __future__ import annotations

import pytest
from triage_directory import read_directory

from guardia.agents.brain.triage.classify import triage

NAMES = read_directory()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("계정이 잠겼어요 풀어주세요", "REQUEST"),
        ("우리 국 직원 전원 계정이 잠겼어요 풀어주세요", "INCIDENT"),
        ("화면 캡처가 막혀요 예외 신청은 어디로 하나요? 급하지 않아요", "QUESTION"),
        ("화면 캡처가 막혀요 빨리 확인 부탁드려요", "INCIDENT"),
        ("어제 느렸는데 지금은 정상입니다. 로그 분석 부탁드립니다", "REQUEST"),
        ("어제 느렸는데 지금도 느립니다. 로그 분석 부탁드립니다", "INCIDENT"),
        ("장애 대비 훈련 자료 부탁드립니다", "REQUEST"),
        ("디스크가 꽉 차면 어떻게 되나요?", "QUESTION"),
        ("힙 크기를 늘려 주세요", "CHANGE"),
        ("힙 크기를 늘리려면 어떻게 하나요?", "QUESTION"),
        ("홈페이지 글자가 겹쳐 보입니다. 수정 부탁드립니다", "INCIDENT"),
        ("홈페이지 문구 수정 부탁드립니다", "CHANGE"),
        ("비밀번호 변경 주기 정책을 변경해 주세요", "CHANGE"),
        ("비밀번호 변경해 주세요", "REQUEST"),
        ("복구해 주실 수 있을까요?", "REQUEST"),
        ("백업은 며칠 보관되나요?", "QUESTION"),
        ("디비에서 처음 보는 문구가 계속 찍힙니다. 확인 부탁드립니다", "INCIDENT"),
    ],
)
def test_kind(text: str, kind: str) -> None:
    assert triage(text, NAMES).kind == kind


@pytest.mark.parametrize(
    ("text", "priority"),
    [
        ("전 직원이 접속을 못하고 있습니다", "P1"),
        ("전 직원이 느리다고 합니다", "P2"),
        ("일부 직원이 접속을 못하고 있습니다", "P2"),
        ("저만 접속이 안 됩니다", "P3"),
        ("전 직원이 접속을 못하지만 다시 하면 됩니다", "P2"),
        ("랜섬웨어에 감염되어 암호화되고 있습니다", "P1"),
        ("랜섬웨어를 백신이 격리했습니다", "P2"),
        ("오류가 납니다. 이번 주 중 확인 부탁드립니다", "P3"),
        ("오류가 납니다. 오늘 중 확인 부탁드립니다", "P2"),
        ("오류가 나지만 급하지 않습니다", "P4"),
        ("오류가 나지만 영향은 없습니다", "P3"),
        ("계정 발급 부탁드립니다", "P3"),
        ("오늘 중 계정 발급 부탁드립니다", "P2"),
        ("오늘 아니어도 되니 이번 주에 계정 발급 부탁드립니다", "P3"),
        ("여유 있을 때 계정 발급 부탁드립니다", "P4"),
        ("오늘 입사했습니다. 이번 주에 계정 발급 부탁드립니다", "P3"),
        ("볼륨 여유는 아직 있으니 이번 주에 정리 부탁드립니다", "P3"),
    ],
)
def test_priority(text: str, priority: str) -> None:
    assert triage(text, NAMES).priority == priority


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("기재부 와스 1호기 재기동 부탁드립니다", "RESTART"),
        ("기재부 와스 1호기 재기동 방법이 궁금합니다", None),
        ("기재부 와스 1호기 재기동 일정 알려주세요", None),
        ("기재부 와스 1호기 재기동했는데도 느려요", None),
        ("기재부 와스 1호기 재기동", "RESTART"),
        ("쿼리가 3시간째 도는데 죽여주시면 안 될까요", "KILL_QUERY"),
        ("디스크가 꽉 찼어요 정리 좀요", "DISK_CLEANUP"),
        ("서류 정리 좀요", None),
        ("톰캣 버전 올려주세요", None),
        ("3.1.2 버전 올려주세요", "DEPLOY"),
        ("계정 락 걸렸어요 락 풀어주세요", None),
    ],
)
def test_action(text: str, action: str | None) -> None:
    assert triage(text, NAMES).action_type == action


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("기재부 와스 1호기 화면이 느려요", "WAS"),
        ("기재부 와스 1호기 화면이 느려요 디비는 정상입니다", "WAS"),
        ("기재부 와스 1호기 시스템 시간이 늦어요", "OS"),
        ("와이파이 임시 계정 발급 부탁드려요", "ACCOUNT"),
        ("회의실 랜선이 안 돼요", "NETWORK"),
        ("기재부 와스 1호기 배포 후 오류가 나요", "WAS"),
        ("기재부 와스 1호기 배포가 오류로 멈췄어요", "DEPLOY"),
        ("아무 말이나 합니다", "GENERAL"),
    ],
)
def test_category(text: str, category: str) -> None:
    assert triage(text, NAMES).category == category
