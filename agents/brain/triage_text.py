"""A request's own words: without what speaks to the machine, quotes, greetings and signatures.

The text is untrusted. Nothing that it says about how it is to be treated may have influence, so
such parts are taken out before anything else reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from guardia.knowledge.korean import Morpheme, morphemes

_RULE = re.compile(r"^\s*(?:[-=_*~─━]{3,}.*|#{3,}\s*)$", re.MULTILINE)
_QUOTE = re.compile(r"^\s*(?:>|From:|보낸\s?사람:|-+\s*(?:Original|원본)).*$", re.MULTILINE)
_BLOCK = re.compile(
    r"```.*?(?:```|\Z)|<(system|assistant|instruction|prompt)\b.*?(?:</\1>|\Z)", re.S | re.I
)
_TITLES = "주무관|사무관|서기관|연구관|연구사|행정관|과장|팀장|실장|국장|부장|차장|대리|사원|주임|계장|교사|선생님"
_UNITS = "(?<![외내일전세])부|청|처|실|국|과|팀|관|원|센터|담당|담당자|담당관|본부|위원회|공단|학교"
_GREETING = re.compile(
    r"^\W*(?:[\w ]{0,20}(?:님|님들|님께|께)\W+)?(?:안녕(?:하세요|하십니까|하신가요|하신지요)?"
    r"|(?:늘 |항상 )?(?:수고|고생|노고)(?:가|에|를)?\s?(?:많으십니다|많으세요|많습니다|하십니다|하세요|하시네요)"
    r"|반갑습니다|(?:늘 |항상 )?(?:감사합니다|감사드립니다|고맙습니다))[\s.,!~^]*"
)
_ADDRESS = re.compile(r"^\W*[\w ]{0,20}(?:님께|님|님들|께|귀하)\s*[.,!:]*\s*$")
_INTRO = re.compile(
    rf"^[\w ,]{{2,40}}(?:{_TITLES}|{_UNITS}|[가-힣]{{2,4}})\s*(?:입니다|이에요|예요|라고 합니다|올시다)[.,!]?\s*$"
)
_PERSON = re.compile(
    rf"(?:{_TITLES}|{_UNITS})\s*(?:[가-힣]{{2,4}})?\s*(?:입니다|이에요|예요|라고 합니다)"
)
_WISH = re.compile("신청|요청|부탁|주세요|바랍|바라|확인|필요|안 |않|못")
_SIGNED = re.compile(r"^[\w ,.·()/-]{0,40}(?:드림|올림|배상|拜上)\W*$")
_SIGNATURE = re.compile(
    rf"^(?:[가-힣A-Za-z]{{2,20}}(?:{_UNITS})\s*)+(?:[가-힣]{{2,4}})?\s*(?:{_TITLES}|담당자?)?\W*$"
    rf"|^[가-힣]{{2,4}}\s*(?:{_TITLES})?\W*$"
)
_SENTENCE = re.compile(r"[^.!?~\n]*(?:[.!?~]+(?=\s|$)|\n|$)|[^\n]+")


def own_words(text: str, strangers: Sequence[re.Pattern[str]]) -> str:
    """What the sender says to the desk. ``strangers`` mark words that speak to the machine."""
    text = _BLOCK.sub("\n", text)
    text = _QUOTE.sub("", _above_rule(text))
    lines = [_without_strangers(line, strangers) for line in _until_order(text, strangers)]
    return "\n".join(_without_manners(lines))


def _above_rule(text: str) -> str:
    """What stands above the first ruled line, where that is anything at all."""
    for match in _RULE.finditer(text):
        if len(text[: match.start()].strip()) > 4:
            return text[: match.start()]
    return text


def _until_order(text: str, strangers: Sequence[re.Pattern[str]]) -> Iterator[str]:
    """The lines up to one that ends in an address to the machine, whose order follows."""
    for line in text.splitlines():
        yield line
        if line.rstrip().endswith((":", "：")) and any(s.search(line) for s in strangers):
            return


def _without_strangers(line: str, strangers: Sequence[re.Pattern[str]]) -> str:
    """The line without bracketed asides to the machine, and only up to its first such sentence."""
    line = re.sub(
        r"\([^()]*\)", lambda m: "" if any(s.search(m[0]) for s in strangers) else m[0], line
    )
    starts = [m.start() for s in strangers if (m := s.search(line))]
    if not starts:
        return line
    head = line[: min(starts)]
    end = max((m.end() for m in re.finditer(r"[.!?~]\s", head)), default=0)
    # Without a sentence end before it, what stands there may still be the request itself.
    return head[:end] if end else head


def _without_manners(lines: Iterable[str]) -> list[str]:
    kept = [_greeted(line.strip()) for line in lines]
    kept = [line for line in kept if line and not _is_manners(line)]
    while len(kept) > 1 and _SIGNATURE.match(kept[-1]):
        kept.pop()
    return kept


def _greeted(line: str) -> str:
    """The line without greetings and introductions at its beginning."""
    for _ in range(3):
        line = _GREETING.sub("", line, count=1)
        first, dot, rest = line.partition(". ")
        if dot and _introduces(first):
            line = rest
    return line


def _is_manners(line: str) -> bool:
    if _SIGNED.match(line) or _ADDRESS.match(line):
        return True
    return _introduces(line)


def _introduces(sentence: str) -> bool:
    """ "교육부 서지호 사무관입니다.": who writes, and nothing else."""
    if _WISH.search(sentence):
        return False
    return bool(_INTRO.match(sentence) and _PERSON.search(sentence))


@dataclass(frozen=True, slots=True)
class Clause:
    """Morphemes up to a connective or final ending, and what the ending does to them."""

    items: tuple[Morpheme, ...]
    sentence: int
    conditional: bool
    """It is a condition: what it says has not happened."""
    question: bool


_CONDITION = frozenset(
    ["면", "으면", "다면", "ᆫ다면", "는다면", "라면", "자면", "거든", "려면", "으려면"]
)
_ASKING = (
    "나요",
    "ᆫ가요",
    "은가요",
    "는가요",
    "까요",
    "ᆸ니까",
    "습니까",
    "는지요",
    "ᆫ지요",
    "죠",
    "나",
    "ᆫ가",
    "는가",
    "은가",
    "니",
)
_IDIOM = frozenset(["되", "하", "좋", "감사", "고맙", "충분", "괜찮", "안"])
_INSIDE = frozenset(
    ["게", "게끔", "도록", "다고", "ᆫ다고", "는다고", "라고", "지", "러", "려고", "으려고", "자마자"]
)


def clauses(text: str) -> list[Clause]:
    """The clauses of ``text``."""
    items = morphemes(text)
    found: list[Clause] = []
    begin = sentence = 0
    for i in range(len(items)):
        stops = _stops(text, items, i)
        if not stops and not _joins(items, i):
            continue
        found.append(_clause(items[begin : i + 1], text, sentence))
        begin, sentence = i + 1, sentence + stops
    if begin < len(items):
        found.append(_clause(items[begin:], text, sentence))
    return found


def _clause(items: list[Morpheme], text: str, sentence: int) -> Clause:
    items = [m for m in items if m.form != ","]
    endings = [m.form for m in items if m.tag in ("EC", "EF")]
    last = endings[-1] if endings else ""
    asked = any(m.tag == "SF" and "?" in m.form for m in items)
    return Clause(
        tuple(items),
        sentence,
        conditional=last in _CONDITION and bool(items) and items[-1].tag != "SF" and not asked,
        question=asked or (last.endswith(_ASKING) and bool(items) and items[-1].tag != "EC"),
    )


def _stops(text: str, items: list[Morpheme], i: int) -> bool:
    """A sentence ends after item ``i``."""
    following = items[i + 1] if i + 1 < len(items) else None
    if following is None:
        return True
    if "\n" in text[items[i].start : following.start]:
        return True
    if items[i].tag == "SF":
        return following.tag not in ("SF", "SW")
    if items[i].tag == "EF" or (items[i].tag == "JX" and items[i].form == "요"):
        return not following.tag.startswith("S") and following.form not in ("요", "ᆼ", "ᆷ")
    return False


def _joins(items: list[Morpheme], i: int) -> bool:
    """A clause ends after item ``i``: a connective that closes it, or a comma after a particle."""
    if items[i].form == "," and i and items[i - 1].tag[0] in "JE":
        return True
    if items[i].tag != "EC" or items[i].form in _INSIDE:
        return False
    rest = [m for m in items[i + 1 : i + 5] if m.tag != "JX" and m.form not in ("안", "못")]
    if not rest:
        return True
    if items[i].form in _CONDITION:
        return rest[0].form not in _IDIOM
    return rest[0].tag != "VX" and not (items[i].form in ("고", "어") and rest[0].form == "있")
