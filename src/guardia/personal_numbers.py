"""Personal numbers in text: which digits are one, and how they are masked.

A resident number is masked in every text that is stored (`guardia.text.clean` does it), so its
pattern decides without a checksum: numbers issued since October 2020 have none. A checksum or a
word beside it is demanded only where the same digits are more often something else: a timestamp in
milliseconds, two columns of a table. The other numbers are masked in talk and in outputs.
"""

from __future__ import annotations

import re
import unicodedata
from calendar import monthrange
from collections.abc import Callable
from functools import lru_cache

_IGNORED = "\x00"
"""Replaces an invisible character, so that every other character keeps its place."""
_DASHES = frozenset("\u02d7\u2043\u2212\u2500\u2501\u2796\u30fc\u3161")
_DIGITS = frozenset("0123456789")
_MONTHS = range(1, 13)
_LEAP_YEAR = 2000
_RESIDENT_DIGITS = 13
_BIRTH_DIGITS = 6
_SHOWN = 7
"""Digits of a resident number that stay: date of birth and the digit after it."""
_WEIGHTS = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
_MILLISECONDS = range(1_500_000_000_000, 2_100_000_000_000)
"""Timestamps of the years 2017 to 2036."""
_LOOK_BACK = 24
_UNCHANGED = re.compile(r"[\x00-\x7f가-힣·…→]*")
"""Texts without a character that is read as a digit, a dash or nothing: most Korean ones."""
_MAY_BE_ONE = re.compile(r"[0-9](?:[\x00 ]?[0-9]){5}|[0-9][0-9][.\-/][0-9][0-9][.\-/][0-9][0-9]")
_RESIDENT_WORD = re.compile(r"주민|외국인|등록\s?번호|민번|jumin|rrn|resident|ssn", re.IGNORECASE)
_PASSPORT_WORD = re.compile(r"여권|passport", re.IGNORECASE)
_LICENCE_WORD = re.compile(r"면허|licen[cs]e", re.IGNORECASE)
_ACCOUNT_WORD = re.compile(r"계좌|입금|송금|은행|뱅크|농협|수협|신협|금고|우체국")

_BEFORE_NAME = re.compile(r"[0-9A-Za-z][-.]?\Z")
_NUMBER_SIGN = re.compile(r"(?<![A-Za-z])no\.\Z", re.IGNORECASE)
_AFTER_NAME = re.compile(r"[-.][0-9]")
_CELL_EDGE = " \t\r\n|,"

_SPACE = r"[\s\x00>]"
# The first digit comes before what must not be in front of it: so a search skips other text fast.
_RESIDENT = re.compile(
    rf"""(?x) [0-9] (?<![0-9][0-9]) \x00* (?:[0-9]\x00*){{5}}
    (?P<gap> {_SPACE}{{0,4}} (?P<mark>-|%2[dD])? {_SPACE}{{0,4}} | [^0-9A-Za-z]{{1,4}} )
    (?:[0-9]\x00*){{6}} [0-9] (?![0-9])"""
)
_DATED = re.compile(
    rf"""(?x) [0-9] (?<![0-9][0-9]) [0-9] (?P<dot>[.\-/\ ]) [0-9]{{2}} (?P=dot) [0-9]{{2}}
    (?P<gap>{_SPACE}{{0,2}} (?P<mark>-) {_SPACE}{{0,2}}) [0-9]{{7}} (?![0-9])"""
)
_SPACED = re.compile(
    r"""(?x) [0-9] (?<![0-9][0-9]) (?:[ ][0-9]){5} (?P<gap>[ ]?(?P<mark>-)?[ ]?)
    [0-9] (?:[ ][0-9]){6} (?![0-9])"""
)
_CARD = re.compile(
    r"""(?x) [0-9] (?<![0-9A-Za-z-][0-9]) [0-9]{3} (?P<gap>[- ]?)
    (?: [0-9]{4} (?P=gap) [0-9]{4} (?P=gap) [0-9]{4} | [0-9]{6} (?P=gap) [0-9]{5} )
    (?![0-9A-Za-z]|-[0-9A-Za-z])"""
)
_CARD_FIRST = frozenset("34569")
_LICENCE = re.compile(
    r"[0-9](?<![0-9A-Za-z-][0-9])[0-9](?P<gap>[- ]?)[0-9]{2}(?P=gap)[0-9]{6}(?P=gap)[0-9]{2}"
    r"(?![0-9A-Za-z]|-[0-9A-Za-z])"
)
_LICENCE_REGIONS = range(11, 29)
_PASSPORT = re.compile(
    r"[MSRODG](?<![0-9A-Za-z].)(?P<digits>[0-9]{8}|[0-9]{3}[A-Z][0-9]{4})(?![0-9A-Za-z])"
)
_MOBILE = re.compile(
    r"0(?<![0-9A-Za-z-]0)1[016789](?P<gap>[-. ]?)[0-9]{3,4}(?P=gap)[0-9]{4}"
    r"(?![0-9A-Za-z]|[-.][0-9A-Za-z])"
)
_ACCOUNT = re.compile(
    r"[0-9](?<![0-9A-Za-z.-][0-9])[0-9]{1,13}(?:[- ][0-9]{1,8}){0,4}(?![0-9A-Za-z.])"
)
_ACCOUNT_DIGITS = range(10, 15)


def mask_resident_numbers(text: str) -> str:
    """Return `text` with the last six digits of each resident or foreigner number masked.

    Masking a masked text changes nothing.
    """
    if len(text) < _RESIDENT_DIGITS or _MAY_BE_ONE.search(_readable(text)) is None:
        return text
    for pattern in (_RESIDENT, _DATED, _SPACED):
        text = _mask(text, pattern, _is_resident, _SHOWN)
    return text


def has_resident_number(text: str) -> bool:
    """Return whether a text contains a resident or foreigner number."""
    return mask_resident_numbers(text) != text


def mask_personal_numbers(text: str) -> str:
    """Return `text` with numbers masked that identify a person or an account.

    Resident and foreigner numbers, payment cards, driver's licences, passports, mobile phones and
    bank accounts.
    """
    return _mask_others(mask_resident_numbers(text), lambda found: True)


def mask_hyphenated_numbers(text: str) -> str:
    """Return `text` with personal numbers masked whose parts are joined by hyphens.

    For what a program reads afterwards: bare digits there may be a size or a file's name.
    """
    return _mask_others(_mask(text, _RESIDENT, _is_hyphenated_resident, _SHOWN), _is_hyphenated)


def _mask_others(text: str, is_wanted: Callable[[re.Match[str]], bool]) -> str:
    def wanted(is_one: Callable[[re.Match[str]], bool]) -> Callable[[re.Match[str]], bool]:
        return lambda found: is_wanted(found) and is_one(found)

    text = _mask(text, _CARD, wanted(_is_card), 4, kept_at_end=4)
    text = _mask(text, _LICENCE, wanted(_is_licence), 4)
    text = _mask(text, _PASSPORT, wanted(_is_passport), 3)
    text = _mask(text, _MOBILE, is_wanted, 3, kept_at_end=4)
    return _mask(text, _ACCOUNT, wanted(_is_account), 0, kept_at_end=4)


def _mask(
    text: str,
    pattern: re.Pattern[str],
    is_one: Callable[[re.Match[str]], bool],
    first: int,
    kept_at_end: int = 0,
) -> str:
    """Mask the digits of each number from `first` on, but for the last ones."""
    read = _readable(text)
    parts, end, at = [], 0, 0
    while (found := pattern.search(read, at)) is not None:
        at = found.start() + 1  # another number may begin inside what is none
        if is_one(found):
            hidden = _places(found)[first:]
            hidden = hidden[: len(hidden) - kept_at_end]
            parts += [text[end : found.start()], _starred(text, found, frozenset(hidden))]
            at = end = found.end()
    return "".join([*parts, text[end:]])


def _places(found: re.Match[str]) -> list[int]:
    """Return where the digits of a number are; a gap may have digits of its own, as in `%2D`."""
    gap = range(*found.span("gap")) if "gap" in found.re.groupindex else range(0)
    whole = enumerate(found[0], found.start())
    return [n for n, character in whole if character in _DIGITS and n not in gap]


def _starred(text: str, found: re.Match[str], hidden: frozenset[int]) -> str:
    return "".join("*" if n in hidden else text[n] for n in range(*found.span()))


def _readable(text: str) -> str:
    """Return `text` with every digit and dash in ASCII, each character in its place."""
    if text.isascii() or _UNCHANGED.fullmatch(text):
        return text
    return text.translate({ord(c): _plain(c) for c in set(text) if not c.isascii()})


@lru_cache(maxsize=4096)
def _plain(character: str) -> str:
    digit = unicodedata.decimal(character, None)
    category = unicodedata.category(character)
    if digit is not None:
        return str(digit)
    if category == "Pd" or character in _DASHES:
        return "-"
    if category in {"Cf", "Me"} or "\ufe00" <= character <= "\ufe0f":
        return _IGNORED
    folded = unicodedata.normalize("NFKC", character)
    return folded if len(folded) == 1 and folded.isascii() else character


def _digits(found: re.Match[str]) -> str:
    return "".join(found.string[n] for n in _places(found))


def _follows(word: re.Pattern[str], found: re.Match[str]) -> bool:
    """Return whether a word is close in front of a number."""
    start = found.start()
    return word.search(found.string, max(0, start - _LOOK_BACK), start) is not None


def _is_resident(found: re.Match[str]) -> bool:
    number = _digits(found)
    month, day = int(number[2:4]), int(number[4:6])
    if month not in _MONTHS or not 1 <= day <= monthrange(_LEAP_YEAR, month)[1]:
        return False
    if _follows(_RESIDENT_WORD, found):
        return True
    if number[_BIRTH_DIGITS] not in "12345678" or _is_part_of_a_name(found):
        return False
    if found["mark"]:
        return True
    if found["gap"].strip(f" \t\r\n>{_IGNORED}"):
        return False
    return not _is_more_likely_else(found, number) or _has_checksum(number)


def _is_hyphenated_resident(found: re.Match[str]) -> bool:
    return found["mark"] is not None and _is_resident(found)


def _is_hyphenated(found: re.Match[str]) -> bool:
    return "-" in found[0]


def _is_part_of_a_name(found: re.Match[str]) -> bool:
    """Return whether more is joined to a number, as in `app-900101-1234567` or in a hash."""
    before, after = found.string[: found.start()][-4:], found.string[found.end() :][:2]
    joined = _BEFORE_NAME.search(before) and not _NUMBER_SIGN.search(before)
    hash_like = not found["gap"] and after[:1].isascii() and after[:1].isalpha()
    return bool(joined or hash_like or _AFTER_NAME.match(after))


def _is_more_likely_else(found: re.Match[str], number: str) -> bool:
    """Return whether digits without a mark between them look like a timestamp or a table."""
    if not found["gap"].strip(_IGNORED) and " " not in found[0]:
        return int(number) in _MILLISECONDS
    before = found.string[max(0, found.start() - _LOOK_BACK) : found.start()].rstrip(_CELL_EDGE)
    after = found.string[found.end() : found.end() + _LOOK_BACK].lstrip(_CELL_EDGE)
    return before[-1:].isdecimal() or after[:1].isdecimal()


def _has_checksum(number: str) -> bool:
    total = sum(w * int(d) for w, d in zip(_WEIGHTS, number, strict=False))
    base = 13 if number[_BIRTH_DIGITS] in "5678" else 11
    return int(number[-1]) in {(11 - total % 11) % 10, (base - total % 11) % 10}


def _is_card(found: re.Match[str]) -> bool:
    return found["gap"] == "-" or (found[0][0] in _CARD_FIRST and _is_luhn(_digits(found)))


def _is_luhn(digits: str) -> bool:
    total = sum(int(d) for d in digits[-1::-2])
    return (total + sum(sum(divmod(2 * int(d), 10)) for d in digits[-2::-2])) % 10 == 0


def _is_licence(found: re.Match[str]) -> bool:
    known = int(found[0][:2]) in _LICENCE_REGIONS
    return known and (found["gap"] == "-" or _follows(_LICENCE_WORD, found))


def _is_passport(found: re.Match[str]) -> bool:
    return not found["digits"].isdecimal() or _follows(_PASSPORT_WORD, found)


def _is_account(found: re.Match[str]) -> bool:
    return len(_digits(found)) in _ACCOUNT_DIGITS and _follows(_ACCOUNT_WORD, found)
