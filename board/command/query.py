"""Questions about the state of work, people, servers and the record."""

from __future__ import annotations

import re

from guardia.board.command.reading import Mood, Reading
from guardia.board.command.structure import Command, clarify

_ASKS = re.compile(
    r"보여|목록|리스트|조회|알려[줘주]|현황|상태|어때|어떻게(?:됐|되|돼|진행|돌아)|어떤|뭐|무슨|누가|누구|언제|몇|있어|있나|있는지|있습니까|얼마나|궁금|"
    r"확인(?:해|부탁|좀|하|바)|진행상황|진척|어디까지|볼수|찾아|검색|[?]|list|show|status|살아있|바빠|바쁘|여유|끝났|됐나|됐어|왔어|남았|뽑아|정리해(?:줘|주)|띄워"
)
_HOW = re.compile(
    r"어떻게(?:하|해)|방법|절차|몇분|얼마나걸|왜(?!곡)|되나요$|가능한가요|뭐예요|뭔가요|무엇인가|차이|의미|란뭐|이란|매뉴얼"
)
_STATUSES = (
    ("FAILED_ROLLBACK", r"실패|에러난|오류난|롤백된|원복된|failed"),
    ("PENDING_APPROVAL", r"승인대기|결재대기|승인기다리|승인안된|승인필요|미승인"),
    ("IN_PROGRESS", r"진행중|진행되|실행중|돌고있|돌아가|작업중|처리중|수행중|running|inprogress"),
    ("COMPLETED", r"완료|끝난|종료된|처리된|마무리|completed"),
    ("REJECTED", r"반려된|거절된|반려한|기각된"),
    ("ABORTED", r"중단된|취소된|중지된|멈춘|aborted"),
    ("MANUAL", r"수동(?:으로)?(?:처리|전환|작업|중|인|건|모드)|사람이(?:처리|하)"),
    ("ROLLED_BACK", r"되돌린|되돌려진"),
    ("APPROVED", r"승인된|승인난|승인완료"),
    ("RECEIVED", r"접수된|새로들어온|신규"),
    ("PARSED", r"분석된|분류된"),
)  # fmt: skip
_TASKS = r"작업|건(?!강)|sr|이슈|일감|티켓|요청|장애|업무|태스크|task"
_LOAD = r"들고|맡고|맡은|담당(?:하|중|인|건)|업무량|부하|바빠|바쁘|여유|일감|몇건|워크로드|workload|일이많|얼마나하|할당된|배정된|가지고있|하고있"
_AUDIT = r"감사(?:로그|기록|이력)|누가|누구|언제|이력|변경기록|작업기록|기록(?:을|좀)?(?:보여|조회|확인)|audit|로그기록|내역"
_AGENT_STATE = r"살아|상태|뭐하|목록|현황|돌고|쉬고|자고|놀고|일하|몇(?:명|개)|리스트|잘|작동|동작|죽|하는중|어때|있어|있나|보여|확인|멈"
_SERVERS = r"서버|장비|호스트|server"


def read(reading: Reading, servers: list[str]) -> Command | None:
    """Return the question that a line asks, or `None` if it asks none."""
    text = reading.text
    if not _ASKS.search(text) or any(a.mood is Mood.NEGATED for a in reading.acts):
        return None
    if reading.has("ND"):
        return _about_issue(reading)
    if _HOW.search(text) and not re.search(r"보여|목록|현황", text):
        return None
    asked = any(a.mood is Mood.QUESTION for a in reading.acts)
    if asked and not re.search(r"누가|누구|언제", text):
        return None
    if any(a.mood is Mood.TOLD for a in reading.acts) and re.search(
        r"(?:면|거든)(?:알려|말해|연락)", text
    ):
        return None
    about, target = _topic(reading, servers)
    if about is None:
        return None
    params: dict[str, str] = {"about": about}
    if about == "tasks" and (status := _status(text)) is not None:
        params["status"] = status
    return Command("query", None, target, dict(params))


def _about_issue(reading: Reading) -> Command | None:
    if len(reading.numbers) > 1 or reading.sr_id is None:
        return clarify("sr")
    asks = r"처리(?:좀|부탁|해)"
    if re.search(asks, reading.text) and not re.search(
        r"[?]|보여|알려|어떻게|상태|현황", reading.text
    ):
        return None
    return Command("query", reading.sr_id, None, {"about": "sr"})


def _topic(reading: Reading, servers: list[str]) -> tuple[str | None, str | None]:
    text = reading.text
    person = next((v[0] for v in reading.values("P")), None)
    agent = next((v[0] for v in reading.values("A")), None)
    institution = next((v[0] for v in reading.values("I")), None)
    place = servers[0] if len(servers) == 1 else institution
    if re.search(r"승인|결재", text) and not re.search(r"승인(?:된|난|완료|했|한)|누가", text):
        return "approvals", person
    if re.search(_AUDIT, text) and not re.search(
        r"누가(?:제일|가장|한가|바)|누구(?:한테|에게|야)?배정", text
    ):
        return (
            ("audit", place)
            if _is_past(text) or not re.search("누가|누구|언제", text)
            else ("tasks", place)
        )
    if person is not None or reading.has("M") or re.search(r"엔지니어|담당자별|팀원|사람별", text):
        if (person is None and reading.has("M")) or re.search(
            r"(?:내|제|나의|저의)(?:가|게)?(?:작업|일|건|할일|담당)", text
        ):
            return "workload", reading.situation.user
        return "workload", person
    if agent is not None or reading.has("G"):
        return "agents", agent
    if re.search(_SERVERS, text) or (reading.has("H") and not re.search(_TASKS, text)):
        return "servers", place
    if re.search(_TASKS, text):
        return "tasks", place
    if reading.has("HKI") and re.search(r"상태|어때|현황|살아|괜찮|정상", text):
        return "servers", place
    if re.search(_LOAD, text):
        return "workload", None
    if _status(text) is not None and re.search(r"거|것|보여|목록|뭐", text):
        return "tasks", place
    return None, None


def _is_past(text: str) -> bool:
    return (
        re.search(
            r"(?:했|됐|렸|눌렀|였|었|았|겼|났|춰졌|한거|한사람|한건|어제|그제|지난|아까|최근)", text
        )
        is not None
    )


def _status(text: str) -> str | None:
    return next((name for name, words in _STATUSES if re.search(words, text)), None)
