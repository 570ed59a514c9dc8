"""The layouts of all tables: servers, owners, skills, teams, duty roster."""

from __future__ import annotations

import json
import re
from typing import Any

from guardia.board.cmdb.imports.columns import (
    DUTY_WORDS,
    HOLIDAY_WORDS,
    TableColumn,
    TableLayout,
    read_choice,
    read_days,
    read_kind,
    read_level,
    read_list,
    write_choice,
    write_days,
    write_list,
)
from guardia.board.cmdb.records import fault

_SERVICE = re.compile(r"([a-z0-9][a-z0-9-]*)(?:=([a-z0-9]+))?(?::(\d{1,5}))?")


def read_services(text: str) -> list[dict[str, Any]]:
    """Return the services of a cell: JSON, or `name=kind:port` separated by semicolons."""
    if text.lstrip().startswith("["):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            raise fault("services", value=text[:40]) from None
        if not isinstance(found, list) or not all(isinstance(s, dict) for s in found):
            raise fault("services", value=text[:40])
        return found
    services = []
    for word in read_list(text):
        match = _SERVICE.fullmatch(word.replace(" ", ""))
        if match is None:
            raise fault("services", value=word[:40])
        name, kind, port = match.groups()
        service: dict[str, Any] = {"name": name, "kind": kind or name}
        services.append(service | ({"port": int(port)} if port else {}))
    return services


def write_services(services: Any) -> str:
    """Return services as a cell that holds every field."""
    return json.dumps(services, ensure_ascii=False) if services else ""


def _column(field: str, *headers: str) -> TableColumn:
    return TableColumn(field, headers)


def _words(field: str, *headers: str) -> TableColumn:
    return TableColumn(field, headers, read_list, write_list)


_PERSON = _column("person", "담당자", "담당자 ID", "계정", "사번", "person_id", "owner_id")
_TEAM = _column("team", "팀", "팀 ID", "담당 팀", "team_id")
_INSTITUTION = _column(
    "institution", "기관", "기관 ID", "기관코드", "inst", "inst_id", "institution_id"
)
_SKILL = _column("skill", "기술", "분야", "전문 분야", "스킬")
_LEVEL = TableColumn("proficiency", ("숙련도", "level", "수준"), read_level)

SERVERS = TableLayout(
    "server",
    (
        _column("id", "서버", "서버 ID", "서버명", "호스트명", "server", "server_id", "hostname"),
        _INSTITUTION,
        _column("institution_name", "기관명", "기관 이름", "inst_name"),
        _words("institution_aliases", "기관 별칭", "기관 약칭"),
        TableColumn("kind", ("종류", "유형", "구분", "서버 종류", "type"), read_kind),
        _words("aliases", "별칭", "서버 별칭", "alias"),
        _words("groups", "그룹", "서버 그룹", "group"),
        _column("address", "주소", "IP", "IP 주소", "host", "ip_address", "ansible_host"),
        _column("port", "포트", "SSH 포트", "ssh_port"),
        _column("account", "접속 계정", "계정", "SSH 계정", "user", "username", "ansible_user"),
        _column("host_key", "호스트 키", "서버 공개키", "hostkey"),
        _column("credential", "인증 정보", "키 이름", "key", "key_name"),
        _column("login.authentication", "인증 방식", "authentication"),
        _column("login.second_factor", "추가 인증", "second_factor"),
        _words("login.bastions", "경유 서버", "bastion", "bastions", "점프 서버"),
        _column("login.host_ca", "호스트 CA", "host_ca"),
        _column("login.elevate", "권한 상승", "elevate"),
        _column("login.sudo_credential", "sudo 인증 정보", "sudo_credential"),
        TableColumn("services", ("서비스", "service"), read_services, write_services),
    ),
    keeps_empty=frozenset({"host_key", "institution_name", "institution_aliases"}),
)
OWNERS = TableLayout(
    "owner",
    (
        _PERSON,
        _TEAM,
        _column("server", "서버", "서버 ID", "server_id", "서버명"),
        _INSTITUTION,
        _column("group", "그룹", "서버 그룹"),
        _SKILL,
        _LEVEL,
        TableColumn(
            "duty",
            ("정부", "구분", "정/부", "역할"),
            read_choice(DUTY_WORDS),
            write_choice(DUTY_WORDS),
        ),
    ),
    keeps_empty=frozenset({"duty"}),
)
SKILLS = TableLayout("skill", (_PERSON, _SKILL, _LEVEL))
TEAMS = TableLayout(
    "team",
    (
        _column("id", "팀", "팀 ID", "team", "team_id"),
        _column("name", "이름", "팀명", "팀 이름"),
        _INSTITUTION,
        _words("members", "팀원", "구성원", "인원"),
        _column("lead", "팀장", "책임자"),
    ),
)
DUTIES = TableLayout(
    "duty",
    (
        _column("id", "당직", "당직 ID", "근무", "근무 ID", "duty", "duty_id"),
        _column("field", "분야", "기술", "skill"),
        _INSTITUTION,
        _PERSON,
        _TEAM,
        TableColumn("days", ("요일", "weekdays"), read_days, write_days),
        _column("begins", "시작", "시작 시각", "begin", "start"),
        _column("ends", "종료", "종료 시각", "끝", "end"),
        _column("zone", "시간대", "timezone"),
        TableColumn(
            "holidays", ("공휴일", "휴일"), read_choice(HOLIDAY_WORDS), write_choice(HOLIDAY_WORDS)
        ),
        _column("since", "적용 시작일", "시작일"),
        _column("until", "적용 종료일", "종료일"),
    ),
    keeps_empty=frozenset({"days", "zone", "holidays"}),
)
EXCEPTIONS = TableLayout(
    "duty_exception",
    (
        _column("duty", "당직", "당직 ID", "duty_id", "근무"),
        _column("first_day", "시작일", "날짜", "일자", "from", "date"),
        _column("last_day", "종료일", "to"),
        _column("person", "대신 근무자", "담당자", "계정", "person_id"),
        _column("reason", "사유", "비고"),
    ),
)
ABSENCES = TableLayout(
    "absence",
    (
        _PERSON,
        _column("first_day", "시작일", "from", "begins"),
        _column("last_day", "종료일", "to", "ends"),
        _column("substitute", "대리자", "대리인", "대무자"),
        _column("reason", "사유", "비고"),
    ),
)
LAYOUTS = {
    layout.kind: layout for layout in (SERVERS, OWNERS, SKILLS, TEAMS, DUTIES, EXCEPTIONS, ABSENCES)
}
