"""Names of a directory as people write them: ids, names with titles, parts of names, aliases."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from guardia.board.command.compact import Compact, Mark
from guardia.org.directory import Directory, Host, InstitutionInfo, PersonInfo

TITLES = [
    "사원",
    "주임",
    "대리",
    "과장",
    "차장",
    "부장",
    "팀장",
    "실장",
    "국장",
    "본부장",
    "이사",
    "책임",
    "선임",
    "수석",
    "주무관",
    "사무관",
    "서기관",
    "연구원",
    "매니저",
    "소장",
    "센터장",
    "반장",
]
ROLE_TITLES = {
    "team_lead": ("팀장", "팀리더", "팀리드"),
    "pm": ("pm", "피엠", "프로젝트매니저"),
    "security_officer": ("보안책임자", "보안담당관", "보안담당자", "정보보안책임자"),
    "admin": ("관리자", "시스템관리자", "어드민", "운영관리자"),
    "auditor": ("감사자", "감사담당자", "감사담당관"),
}
KIND_WORDS = {
    "WAS": ("와스", "was", "웹애플리케이션서버", "톰캣"),
    "DB": ("디비", "db", "데이터베이스", "운영db", "운영디비"),
    "WEB": ("웹서버", "웹", "web", "홈페이지서버", "홈페이지"),
    "SECURITY": ("보안서버", "방화벽서버", "방화벽", "보안장비"),
}
_HONORIFIC = "(?:님|씨)?"
_NUMBERED = (
    r"(?:서버|장비)?(?:#?0?(?P<number>\d{1,2})(?:호기|번기|번서버|번장비|번째서버|호)?)?(?:서버)?"
)


_VARIANTS = {"db": "디비", "was": "와스", "web": "웹"}


def _squeeze(name: str) -> str:
    return Compact.of(name).text


def _variants(name: str) -> list[str]:
    """Return a name as it is written, with the usual Korean spellings of Latin words."""
    text = _squeeze(name)
    korean = text
    for latin, spelled in _VARIANTS.items():
        korean = korean.replace(latin, spelled)
    return [text, korean]


@dataclass(frozen=True, slots=True)
class _Spelling:
    """One way to write a name, and the ids that it may mean."""

    text: str
    sign: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnclearKind:
    """A kind of server that a line names, with its number if it has one."""

    word: str
    number: str | None


_TITLED = re.compile("PO")
"""A person with a title that the directory spells in another way."""


class Names:
    """The spellings of one directory, compiled once."""

    def __init__(self, directory: Directory) -> None:
        self._hosts = directory.servers
        self._institutions = directory.institutions
        self.people = {p.id: p for p in directory.people}
        self._titles = _titles(directory.people)
        self._spelled = _index(
            (*_agents(directory), *_institutions(directory), *_servers(directory))
        )
        self._fixed = _alternatives(self._spelled)
        self._kinds = self._kind_pattern()
        self._people = _index(_people(directory.people, self._titles))
        self._person = re.compile(
            rf"(?P<name>{_joined(self._people)}){_HONORIFIC}" if self._people else r"(?!)"
        )
        self._role = re.compile(rf"(?P<title>{_joined(self._role_titles())}){_HONORIFIC}(?!이라고)")

    def mark(self, line: Compact) -> None:
        """Replace the names of a line: H server, K unclear server, A agent, I institution,
        P person, U unclear person, O role."""
        line.replace(self._fixed, self._read_spelled)
        line.replace(self._kinds, self._read_kind)
        line.replace(self._person, self._read_person)
        line.replace(self._role, self._read_role)
        line.replace(_TITLED, lambda match: line.mark_at(match.start()))

    def _read_spelled(self, match: re.Match[str]) -> Mark | None:
        sign, ids = self._spelled[match[0]]
        return _mark(sign, ids, match)

    def _kind_pattern(self) -> re.Pattern[str]:
        words = _joined(word for words in KIND_WORDS.values() for word in words)
        # An institution has its mark already. Not within a longer Latin word or a path.
        return re.compile(
            rf"(?<![a-z0-9/._-])(?P<kind>{words})(?![a-z-])(?!관련|팀|담당|전문|업무)"
            rf"{_NUMBERED}"
        )

    def _read_kind(self, match: re.Match[str]) -> Mark | None:
        return Mark("K", UnclearKind(match["kind"], match["number"]), *match.span())

    def resolve_kind(self, institution: str | None, unclear: UnclearKind) -> tuple[str, ...]:
        """Return the servers that a kind of server may mean, in an institution or anywhere."""
        kind = next(k for k, words in KIND_WORDS.items() if unclear.word in words)
        found = [h for h in self._hosts if h.kind == kind and institution in (None, h.institution)]
        if unclear.number is not None:
            found = [h for h in found if _ends_with(h, int(unclear.number))]
        return tuple(h.server_id for h in found)

    def _read_person(self, match: re.Match[str]) -> Mark | None:
        _, ids = self._people[match["name"]]
        return _mark("P", ids, match)

    def _role_titles(self) -> Iterable[str]:
        return (*(w for words in ROLE_TITLES.values() for w in words), *self._titles)

    def _read_role(self, match: re.Match[str]) -> Mark | None:
        title = match["title"]
        role = next((r for r, words in ROLE_TITLES.items() if title in words), None)
        holders = self._titles.get(title, ())
        return Mark("O", (role, tuple(p.id for p in holders)), *match.span())


def _mark(sign: str, ids: tuple[str, ...], match: re.Match[str]) -> Mark:
    unclear = {"H": "K", "P": "U"}.get(sign, sign) if len(ids) > 1 else sign
    return Mark(unclear, ids, *match.span())


def _ends_with(host: Host, number: int) -> bool:
    digits = re.search(r"(\d+)$", host.server_id)
    return digits is not None and int(digits[1]) == number


def _joined(words: Iterable[str]) -> str:
    return "|".join(re.escape(w) for w in sorted(set(words), key=lambda w: (-len(w), w)))


def _index(spellings: Iterable[_Spelling]) -> dict[str, tuple[str, tuple[str, ...]]]:
    found: dict[str, tuple[str, dict[str, None]]] = {}
    for spelling in spellings:
        if spelling.text:
            _, ids = found.setdefault(spelling.text, (spelling.sign, {}))
            ids.update(dict.fromkeys(spelling.ids))
    return {text: (sign, tuple(ids)) for text, (sign, ids) in found.items()}


def _alternatives(spelled: dict[str, tuple[str, tuple[str, ...]]]) -> re.Pattern[str]:
    if not spelled:
        return re.compile(r"(?!)")
    return re.compile(
        rf"(?<![a-z0-9-])(?:{_joined(spelled)})"
        r"(?:(?<=[a-z0-9])(?![a-z0-9])|(?<![a-z0-9])(?!#?\d{1,2}(?:호기|번(?:기|서버))))(?!호기)"
    )


def _agents(directory: Directory) -> Iterable[_Spelling]:
    for agent in directory.agents:
        yield _Spelling(_squeeze(agent.id), "A", (agent.id,))
        for name in (agent.id.replace("-", ""), agent.title, *agent.aliases):
            for text in _variants(name):
                yield _Spelling(text, "A", (agent.id,))


def _institutions(directory: Directory) -> Iterable[_Spelling]:
    for institution in directory.institutions:
        for name in _institution_names(institution):
            yield _Spelling(name, "I", (institution.id,))


def _institution_names(institution: InstitutionInfo) -> list[str]:
    return [_squeeze(n) for n in (institution.name, *institution.aliases, institution.id)]


def _servers(directory: Directory) -> Iterable[_Spelling]:
    institutions = {i.id: _institution_names(i) for i in directory.institutions}
    for host in directory.servers:
        plain = _squeeze(host.server_id)
        yield _Spelling(plain, "H", (host.server_id,))
        yield _Spelling(plain.replace("-", ""), "H", (host.server_id,))
        names = institutions.get(host.institution, [])
        for alias in map(_squeeze, host.aliases):
            yield _Spelling(alias, "H", (host.server_id,))
            known = next((n for n in names if alias.startswith(n)), None)
            for other in names if known else ():
                yield _Spelling(other + alias[len(known or "") :], "H", (host.server_id,))


def _titles(people: Iterable[PersonInfo]) -> dict[str, tuple[PersonInfo, ...]]:
    found: dict[str, list[PersonInfo]] = defaultdict(list)
    for title in TITLES:
        found[title] = []
    for person in people:
        found[_squeeze(person.title)].append(person)
    return {title: tuple(holders) for title, holders in found.items() if title}


def _people(
    people: Iterable[PersonInfo], titles: dict[str, tuple[PersonInfo, ...]]
) -> Iterable[_Spelling]:
    for person in people:
        name, title = _squeeze(person.name), _squeeze(person.title)
        yield _Spelling(_squeeze(person.id), "P", (person.id,))
        yield _Spelling(name, "P", (person.id,))
        for calling in (title, f"{title}님"):
            yield _Spelling(name + calling, "P", (person.id,))
            if re.fullmatch("[가-힣]{2,4}", name):
                yield _Spelling(name[0] + calling, "P", (person.id,))
                yield _Spelling(name[1:] + calling, "P", (person.id,))
        if re.fullmatch("[가-힣]{3,4}", name):
            for calling in ("씨", "님"):
                yield _Spelling(name[1:] + calling, "P", (person.id,))
