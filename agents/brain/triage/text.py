"""Reduce a request to its own words: no injections, quotes, greetings or signatures.

The text is untrusted. Nothing that it says about its own treatment may have influence, so such
parts are removed before anything else reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from guardia.text import fold

_MAX_CHARACTERS = 6000
"""Maximum characters that are read: the request is at the beginning."""

# Lines are bounded by themselves: "^\\s*" would read all blank lines again from each of them.
_RULE = re.compile(r"^[^\S\n]*+(?:[-=_*~─━]{3,}.*|#{3,}[^\S\n]*)$", re.MULTILINE)
_QUOTE = re.compile(
    r"^[^\S\n]*+(?:>|From:|보낸\s?사람:|-++[^\S\n]*(?:Original|원본)).*$", re.MULTILINE
)
_MARK_OF_QUOTE = re.compile(r"^[^\S\n]*+(?:>[^\S\n]*)+", re.MULTILINE)
_PASSED_ON = re.compile(
    r"^\s*(?:(?:fw|fwd|전달)\s*:|\[(?:fw|fwd|전달)\])|(?:아래|하기)(?:와|의|에|로|\s)?\s?"
    r"(?:같이|내용|메일|문의|요청|건)|전달\s?(?:드|합니다|해\s?드|하오니)|포워드|forward",
    re.IGNORECASE,
)
"""Words by which a mail is only passed on: what it quotes is the request."""
_TAG = re.compile(
    r"^\s*\[(?:관제|모니터링|알림|공지|공문|회신|접수|요청|문의|신청)\]\s*", re.MULTILINE
)
"""The place or kind of a notice, which says nothing about the matter."""
_BLANKS = re.compile(r"[^\S\n]{4,}")
_BLANK_LINES = re.compile(r"\n{3,}")
_BLOCK = re.compile(
    r"```.*?(?:```|\Z)|<(system|assistant|instruction|prompt)\b.*?(?:</\1>|\Z)", re.S | re.I
)
_GREETING = re.compile(
    r"^\W*(?:[\w ]{0,20}(?:님|님들|님께|께)\W+)?"
    r"(?:안녕(?:하세요|하십니까|하신가요|하신지요)?|반갑습니다"
    r"|(?:늘 |항상 )?(?:감사합니다|감사드립니다|고맙습니다)"
    r"|(?:늘 |항상 )?(?:수고|고생|노고)[가에를]?\s?"
    r"(?:많으십니다|많으세요|많습니다|하십니다|하세요|하시네요))[\s.,!~^]*"
)
_ADDRESS = re.compile(r"^\W*[\w ]{0,20}(?:님께|님|님들|께|귀하)\s*[.,!:]*\s*$")
_TITLES = (
    "주무관|사무관|서기관|연구관|연구사|행정관|과장|팀장|실장|국장|부장|차장|대리|사원|주임|계장"
)
_UNITS = (
    r"(?<!\b[외내일전세])부|청|처|실|국|과|팀|관|원|센터|담당|담당자|담당관|본부|위원회|공단|학교"
)
_IS = r"\s*(?:입니다|이에요|예요|라고 합니다)"
_INTRODUCTION = re.compile(rf"^[\w ,]{{2,40}}(?:{_TITLES}|{_UNITS}|[가-힣]{{2,4}}){_IS}[.,!]?\s*$")
_PERSON = re.compile(rf"(?:{_TITLES}|{_UNITS})\s*(?:[가-힣]{{2,4}})?{_IS}")
_REQUEST = re.compile("신청|요청|부탁|주세요|바랍|바라|확인|필요|안 |않|못")
_SIGNED = re.compile(r"^[\w ,.·()/-]{0,40}(?:드림|올림|배상)\W*$")
# A line of short words can also be a sentence: "해당 세션을 종료하여 주시기 바랍니다."
_SENTENCE = re.compile(r"(?:다|요|오|음|함|임|됨|람|망|것|까)[\s.!?~]*$")
_CLOSING = re.compile(
    r"\s*(?:그럼 |이만 |오늘도 )?(?:늘 |항상 )?(?:수고|고생)"
    r"(?:하십시오|하십쇼|하세요|들 하세요|하시기 바랍니다)[\s.!~^]*$|(?<=[.\s])끝\.\s*$"
)
# Frequent misspellings that the analyser would take for other words.
_MISSPELT = tuple(
    (re.compile(wrong), right)
    for wrong, right in (
        (r"지(\s?)안(?=[아으았습는])", r"지\1않"),
        (r"않(?=\s?[되돼된됩됨열나떠들먹])", "안"),
        (r"되(?=[요서]\b|[요서](?=[\s.,!?~ㅠㅜ]|$))", "돼"),
        (r"됬", "됐"),
        (r"(?<=[가-힣])읍니다", "습니다"),
        (r"함니다", "합니다"),
        (r"(?<=[가-힣])림니다", "립니다"),
        (r"뜸니다", "뜹니다"),
        (r"넘오래", "너무 오래"),
        (r"(?<=[가-힣])욜(?=[\s까에날]|$)", "요일"),
        (r"낼모레", "모레"),
        (r"왜케", "왜 이렇게"),
        (r"어[케캐](?=[\s돼해되])", "어떻게 "),
        (r"나심(?=\s)", "나시면"),
        (r"아녜요", "아니에요"),
        (r"(?<=[세해돼에어아네죠])용(?=[\s~!.,?]|$)", "요"),
        (r"니(?:당|더)(?=[\s~!.,?]|$)", "니다"),
        # Endings of Gyeongsang.
        (r"이소(?:예)?(?=[\s~!.,?]|$)", "세요"),
        (r"(?<=[네게까지])예(?=[\s~!.,?]|$)", "요"),
        (r"(?<=[았었했됐있는])(?:노|능교|는교)(?=[\s~!.,?]|$)", "나요"),
        (r"는교(?=[\s~!.,?]|$)", "나요"),
        (r"우[예째찌]", "어떻게"),
        (r"억수로", "매우"),
        (r"퍼뜩", "빨리"),
        (r"맹글", "만들"),
        (r"갈[카켜]", "가르쳐 "),
        (r"괘[안않](?=[심찮았])", "괜찮"),
        (r"다꼬(?=\s)", "다고"),
        (r"시스탬", "시스템"),
        (r"써버", "서버"),
        (r"쎄션", "세션"),
        (r"[컴콤]퓨타", "컴퓨터"),
        (r"에라(?=[가나뜨떠\s])", "에러"),
    )
)
_SIGNER = re.compile(rf"[가-힣A-Za-z]{{1,20}}(?:{_UNITS}|{_TITLES})|[가-힣]{{2,4}}")


def strip_noise(text: str, injection_patterns: Sequence[re.Pattern[str]]) -> str:
    """Return what the sender requests; `injection_patterns` match words to the machine."""
    text = _BLOCK.sub("\n", _bounded(text))
    text = _TAG.sub("", _without_quotes(_above_rule(text)))
    lines = [
        _without_injections(line, injection_patterns)
        for line in _until_injection(text, injection_patterns)
    ]
    return _spelled("\n".join(_without_courtesies(lines)))


def _without_quotes(text: str) -> str:
    """Remove quoted lines, unless the own ones only pass them on."""
    own = _QUOTE.sub("", text)
    if own.strip() and _PASSED_ON.search(own):
        return _QUOTE.sub("", _MARK_OF_QUOTE.sub("", text))
    return own


def _spelled(text: str) -> str:
    """Correct frequent misspellings."""
    for wrong, right in _MISSPELT:
        text = wrong.sub(right, text)
    return text


def addresses_machine(text: str, injection_patterns: Sequence[re.Pattern[str]]) -> bool:
    """Return whether a part of `text` addresses the machine."""
    read = _bounded(text)
    return any(s.search(read) for s in injection_patterns)


def _bounded(text: str) -> str:
    """Return the beginning of `text`, folded, without long runs of blanks and blank lines."""
    folded = fold(text[:_MAX_CHARACTERS])[:_MAX_CHARACTERS]
    lines = (line.strip() for line in _BLANKS.sub("   ", folded).splitlines())
    return _BLANK_LINES.sub("\n\n", "\n".join(lines))


def _above_rule(text: str) -> str:
    """Return the text above the first ruled line, if there is any."""
    for match in _RULE.finditer(text):
        if len(text[: match.start()].strip()) > 4:
            return text[: match.start()]
    return text


def _until_injection(text: str, injection_patterns: Sequence[re.Pattern[str]]) -> Iterator[str]:
    """Yield the lines up to one that ends by addressing the machine, whose order follows."""
    for line in text.splitlines():
        yield line
        if line.rstrip().endswith((":", "：")) and any(s.search(line) for s in injection_patterns):
            return


def _without_injections(line: str, injection_patterns: Sequence[re.Pattern[str]]) -> str:
    """Remove bracketed asides to the machine, and everything from its first such sentence."""
    line = re.sub(
        r"\([^()]*\)",
        lambda m: "" if any(s.search(m[0]) for s in injection_patterns) else m[0],
        line,
    )
    starts = [m.start() for s in injection_patterns if (m := s.search(line))]
    if not starts:
        return line
    head = line[: min(starts)]
    end = max((m.end() for m in re.finditer(r"[.!?~]\s", head)), default=0)
    # Without a sentence end before it, the text may still be the request itself.
    return head[:end] if end else head


def _without_courtesies(lines: Iterable[str]) -> list[str]:
    kept = [_CLOSING.sub("", _without_greeting(line.strip())) for line in lines]
    kept = [line for line in kept if line and not _is_courtesy(line)]
    while len(kept) > 1 and _is_signature(kept[-1]):
        kept.pop()
    return kept


def _without_greeting(line: str) -> str:
    """Remove greetings and introductions at the beginning of the line."""
    for _ in range(3):
        line = _GREETING.sub("", line, count=1)
        first, dot, rest = line.partition(". ")
        if dot and _is_introduction(first):
            line = rest
    return line


def _is_courtesy(line: str) -> bool:
    return bool(_SIGNED.match(line) or _ADDRESS.match(line)) or _is_introduction(line)


def _is_introduction(sentence: str) -> bool:
    """Return whether it only says who is writing: "교육부 서지호 사무관입니다."."""
    if _REQUEST.search(sentence):
        return False
    return bool(_INTRODUCTION.match(sentence) and _PERSON.search(sentence))


def _is_signature(line: str) -> bool:
    """Return whether it is only units, names and titles: "총무과 이슬기"."""
    words = line.rstrip(" .,").split()
    if len(words) > 2 and _SENTENCE.search(line):
        return False
    return 0 < len(words) <= 5 and all(_SIGNER.fullmatch(w) for w in words)
