"""Names of a directory as people write them: ids, names with titles, parts of names, aliases."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from guardia.board.command.compact import Compact, Mark
from guardia.board.command.spellings import Spelling, Spellings
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
_HONORIFIC = re.compile("[님씨]")
_LATIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_NUMBER_FOLLOWS = re.compile(r"#?\d{1,2}(?:호기|번(?:기|서버))|호기")
_NUMBERED = (
    r"(?:서버|장비)?(?:#?0?(?P<number>\d{1,2})(?:호기|번기|번서버|번장비|번째서버|호)?)?(?:서버)?"
)


_CORRECTED_NUMBER = re.compile(
    r"\d{1,2}호기(?:은|는|이|가|을|를)?[,.~!…]*(?:아니(?:고|라|다|야|요)?|말고)[,.~!…]*"
    r"(?P<right>\d{1,2})호기"
)
"""One machine of a row, and at once the right one: "unit 1, no, unit 2"."""

_KOREAN_TITLES = {"pm": "피엠", "pl": "피엘", "cto": "씨티오"}
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
class UnclearKind:
    """A kind of server that a line names, with its number if it has one."""

    word: str
    number: str | None


_TITLED = re.compile("PO")
"""A person with a title that the directory spells in another way."""


class Names:
    """The spellings of one directory, compiled once."""

    def __init__(self, directory: Directory) -> None:
        self._hosts: dict[str, list[Host]] = defaultdict(list)
        for host in directory.servers:
            self._hosts[host.kind].append(host)
        self.directory = directory
        self.people = {p.id: p for p in directory.people}
        self.titles = {a.id: a.title for a in directory.agents}
        self.titles |= {i.id: i.name for i in directory.institutions}
        self._titles = _titles(directory.people)
        self._spelled = Spellings(
            (*_agents(directory), *_institutions(directory), *_servers(directory))
        )
        self._kinds = self._kind_pattern()
        self._people = Spellings(_people(directory.people, self._titles))
        self._role = re.compile(rf"(?P<title>{_joined(self._role_titles())})(?:님|씨)?(?!이라고)")

    def mark(self, line: Compact) -> None:
        """Replace the names of a line: H server, K unclear server, A agent, I institution,
        P person, U unclear person, O role. Of a number that is corrected, the right one counts."""
        line.respell(_CORRECTED_NUMBER, r"\g<right>호기")
        line.put(self._find_spelled(line.text))
        line.replace(self._kinds, self._read_kind)
        line.put(self._find_people(line.text))
        line.replace(self._role, self._read_role)
        line.replace(_TITLED, lambda match: line.mark_at(match.start()))

    def _find_spelled(self, text: str) -> Iterator[Mark]:
        """Yield the names of agents, institutions and servers, none within a longer word."""
        end = 0
        for begin in range(len(text)):
            if begin < end or _is_within_word(text, begin):
                continue
            for found in self._spelled.at(text, begin):
                if _ends_there(text, begin + len(found.text)):
                    end = begin + len(found.text)
                    yield _mark(found, begin, end)
                    break

    def _find_people(self, text: str) -> Iterator[Mark]:
        """Yield the people that a text names, with what they are called after their name."""
        end = 0
        for begin in range(len(text)):
            found = next(self._people.at(text, begin), None) if begin >= end else None
            if found is not None:
                end = begin + len(found.text)
                end += _HONORIFIC.match(text, end) is not None
                yield _mark(found, begin, end)

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
        found = [h for h in self._hosts[kind] if institution in (None, h.institution)]
        if unclear.number is not None:
            found = [h for h in found if _ends_with(h, int(unclear.number))]
        return tuple(h.server_id for h in found)

    def _role_titles(self) -> Iterable[str]:
        return (*(w for words in ROLE_TITLES.values() for w in words), *self._titles)

    def _read_role(self, match: re.Match[str]) -> Mark | None:
        title = match["title"]
        role = next((r for r, words in ROLE_TITLES.items() if title in words), None)
        holders = self._titles.get(title, ())
        return Mark("O", (role, tuple(p.id for p in holders)), *match.span())


def _mark(found: Spelling, begin: int, end: int) -> Mark:
    unclear = {"H": "K", "P": "U"}.get(found.sign, found.sign)
    return Mark(found.sign if len(found.ids) == 1 else unclear, found.ids, begin, end)


def _is_within_word(text: str, begin: int) -> bool:
    """Return whether a position is within a Latin word, or after a dash."""
    before = text[begin - 1] if begin else ""
    return before == "-" or (before in _LATIN and text[begin] in _LATIN)


def _ends_there(text: str, end: int) -> bool:
    """Return whether a name may end here: not within a word or before a number of a machine."""
    if text[end - 1] in _LATIN:
        return text[end : end + 1] not in _LATIN and not text.startswith("호기", end)
    return _NUMBER_FOLLOWS.match(text, end) is None


def _ends_with(host: Host, number: int) -> bool:
    digits = re.search(r"(\d+)$", host.server_id)
    return digits is not None and int(digits[1]) == number


def _joined(words: Iterable[str]) -> str:
    return "|".join(re.escape(w) for w in sorted(set(words), key=lambda w: (-len(w), w)))


def _agents(directory: Directory) -> Iterable[Spelling]:
    for agent in directory.agents:
        yield Spelling(_squeeze(agent.id), "A", (agent.id,))
        for name in (agent.id.replace("-", ""), agent.title, *agent.aliases):
            for text in _variants(name):
                yield Spelling(text, "A", (agent.id,))


def _institutions(directory: Directory) -> Iterable[Spelling]:
    for institution in directory.institutions:
        for name in _institution_names(institution):
            yield Spelling(name, "I", (institution.id,))


def _institution_names(institution: InstitutionInfo) -> list[str]:
    return [_squeeze(n) for n in (institution.name, *institution.aliases, institution.id)]


def _servers(directory: Directory) -> Iterable[Spelling]:
    institutions = {i.id: _institution_names(i) for i in directory.institutions}
    for host in directory.servers:
        plain = _squeeze(host.server_id)
        yield Spelling(plain, "H", (host.server_id,))
        for short in {plain, re.sub(r"-0+(?=\d+$)", "-", plain)}:
            for joint in ("", "_", "-"):
                yield Spelling(short.replace("-", joint), "H", (host.server_id,))
        names = institutions.get(host.institution, [])
        for alias in map(_squeeze, host.aliases):
            yield Spelling(alias, "H", (host.server_id,))
            known = next((n for n in names if alias.startswith(n)), None)
            for other in names if known else ():
                yield Spelling(other + alias[len(known or "") :], "H", (host.server_id,))


def _titles(people: Iterable[PersonInfo]) -> dict[str, tuple[PersonInfo, ...]]:
    found: dict[str, list[PersonInfo]] = defaultdict(list)
    for title in TITLES:
        found[title] = []
    for person in people:
        found[_squeeze(person.title)].append(person)
    return {title: tuple(holders) for title, holders in found.items() if title}


def _people(
    people: Iterable[PersonInfo], titles: dict[str, tuple[PersonInfo, ...]]
) -> Iterable[Spelling]:
    for person in people:
        name, title = _squeeze(person.name), _squeeze(person.title)
        yield Spelling(_squeeze(person.id), "P", (person.id,))
        yield Spelling(name, "P", (person.id,))
        spelled = [title, *filter(None, (_KOREAN_TITLES.get(title),))]
        for calling in (*spelled, *(f"{one}님" for one in spelled)):
            yield Spelling(name + calling, "P", (person.id,))
            if re.fullmatch("[가-힣]{2,4}", name):
                yield Spelling(name[0] + calling, "P", (person.id,))
                yield Spelling(name[1:] + calling, "P", (person.id,))
        if re.fullmatch("[가-힣]{3,4}", name):
            for calling in ("씨", "님"):
                yield Spelling(name[1:] + calling, "P", (person.id,))
