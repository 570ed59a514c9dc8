"""Cut what a reply quotes, and signatures, from the text of a mail."""

from __future__ import annotations

import re

_WINDOW = 3
"""Lines over which mail programs break the line that introduces a quotation."""
_RULE = re.compile(
    r"\s*[-_=*]{2,}\s*(original message|original appointment|원본\s*(메시지|메일|편지)"
    r"|원문\s*(메시지|메일)?|보낸\s*메시지|받은\s*메일|이전\s*메(시지|일))"
    r"\s*[-_=*]{2,}\s*",
    re.IGNORECASE,
)
_WROTE = re.compile(
    r"\s*(on\b.{5,300}\bwrote\s*:|.{0,200}\d{1,4}\s*[년월./-].{3,300}"
    r"(작성|쓴 글|썼습니다|썼음|작성했습니다|작성하였습니다|님이 쓰신 글|쓰신 글|보냈습니다|wrote)"
    r"\s*:?"
    r"|.{0,200}(님이 작성|이\(가\) 쓴 글|가 쓴 글|님께서 쓰신 글)\s*:)\s*",
    re.IGNORECASE,
)
_ENDING = re.compile(r"wrote|작성|쓴 글|쓰신 글|썼|보냈", re.IGNORECASE)
_FROM = re.compile(
    r"\W{0,4}(from|보낸\s*사람|보낸\s*이|발신(자|인)?|보내는\s*사람)\W{0,3}\s*[:\uff1a].*",
    re.IGNORECASE,
)
_OTHER_FIELD = re.compile(
    r"\W{0,4}(to|sent|date|subject|cc|받는\s*사람|받는\s*이|수신(자|인)?|참조|보낸\s*(날짜|시간)"
    r"|날짜|일시|제목)\W{0,3}\s*[:\uff1a].*",
    re.IGNORECASE,
)
_FIELDS_WITHIN = 5
_QUOTED = re.compile(r"\s{0,3}[>\uff1e|](\s|>|$)")
_SIGNATURE = re.compile(
    r"\s*(--\s?|sent from my (iphone|ipad|galaxy|mobile).{0,30}"
    r"|get outlook for (ios|android).{0,60}"
    r"|(나의|내)\s*(iphone|ipad|아이폰|갤럭시|galaxy).{0,12}(에서|으로)\s*(보냄|보낸 메일.*)"
    r"|(갤럭시|galaxy|삼성 모바일|samsung mobile).{0,12}에서\s*(보냄|보냈습니다).?"
    r"|(android|ios)용 outlook.{0,60}"
    r"|(네이버|다음|daum|naver|hiworks|하이웍스).{0,12}앱에서\s*보냄.?"
    r"|보낸\s*사람\s*:\s*내 (iphone|갤럭시).{0,20})\s*",
    re.IGNORECASE,
)
_ONLY_RULE = re.compile(r"\s*[-_=]{10,}\s*")
_DISCLAIMER = re.compile(
    r"\s*[*※\[]*\s*((본|이)\s*(전자)?\s*(메일|우편)(은|는|에는|에 포함된)"
    r"|this (e-?mail|message) (and any|is intended|may))"
    r".{0,400}(기밀|비밀|법적|보호|수신(자|인)|confidential|intended|privileged).*",
    re.IGNORECASE,
)
_MAY_INTRODUCE = re.compile(r"^\s*on\s|[\d<님]", re.IGNORECASE)
_MAX_LINE = 1000


def strip_reply(text: str, *, is_reply: bool) -> str:
    """Return what the sender wrote, or the whole text if nothing of it would be left.

    Only a reply loses quotations: a mail that is passed on is about what it quotes.
    """
    lines = text.splitlines()
    if is_reply:
        lines = [line for line in lines[: _quotation(lines)] if not _QUOTED.match(line[:9])]
    lines = lines[: _signature(lines)]
    return "\n".join(lines).strip() or text.strip()


def _quotation(lines: list[str]) -> int:
    """Return the index of the line with which the quotation begins."""
    for index, line in enumerate(lines):
        if not line.strip():
            continue
        if _RULE.fullmatch(line[:_MAX_LINE]) or _begins_fields(lines, index):
            return _without_rule(lines, index)
        if _introduces(lines, index):
            return index
    return len(lines)


def _without_rule(lines: list[str], index: int) -> int:
    """Include the rule that Outlook draws above a quotation."""
    while index and (not lines[index - 1].strip() or _ONLY_RULE.fullmatch(lines[index - 1])):
        index -= 1
    return index


def _introduces(lines: list[str], index: int) -> bool:
    """Return whether a line, alone or with those after it, says who wrote what follows."""
    if not _MAY_INTRODUCE.search(lines[index][:_MAX_LINE]):
        return False
    for count in range(1, _WINDOW + 1):
        joined = " ".join(line.strip() for line in lines[index : index + count])
        if len(joined) > _MAX_LINE or not _ENDING.search(joined[-20:]):
            continue
        if _WROTE.fullmatch(joined):
            return _ends_as_introduction(joined, lines[index + count :])
    return False


def _ends_as_introduction(joined: str, after: list[str]) -> bool:
    """Return whether a sentence about a mail really introduces one."""
    following = next((line for line in after if line.strip()), "")
    return joined.rstrip().endswith(":") or bool(_QUOTED.match(following[:9]))


def _begins_fields(lines: list[str], index: int) -> bool:
    """Return whether the header fields of another mail begin here."""
    if not _FROM.fullmatch(lines[index][:_MAX_LINE]):
        return False
    following = [line for line in lines[index + 1 : index + 2 * _FIELDS_WITHIN] if line.strip()]
    found = sum(bool(_OTHER_FIELD.fullmatch(f[:_MAX_LINE])) for f in following[:_FIELDS_WITHIN])
    return found >= 2


def _signature(lines: list[str]) -> int:
    """Return the index of the line with which the signature begins."""
    for index, line in enumerate(lines):
        if not line.strip():
            continue
        if _SIGNATURE.fullmatch(line[:_MAX_LINE]) or _DISCLAIMER.fullmatch(line[:_MAX_LINE]):
            return index
    return len(lines)
