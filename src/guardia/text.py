"""Foreign text: which characters are kept, which texts count as blank, and which are the same.

Text is cleaned where it enters, by one of the annotated types below, and once more when it is
stored, by the column types of `guardia.db.columns`. Code in between receives clean text and only
limits its length and refuses blank text.

`clean` is the form that is kept. Names, commands and codes in a text are searched in another form,
that of `fold`, or of `matching_form` if case does not matter: so every door recognizes the same.

The audit log has a rule of its own (`guardia.board.audit.canonical.clean`), which is part of its
format and must not change; a test ensures that it leaves clean text unchanged.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, StringConstraints

from guardia.personal_numbers import mask_hyphenated_numbers, mask_resident_numbers

# Control characters are removed because terminals obey some of them, and direction marks because
# people would approve something other than what is carried out. Tabs and line breaks stay.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
# Lone surrogates cannot be written as UTF-8, so PostgreSQL does not store them.
_SURROGATE = re.compile("[\ud800-\udfff]")
_EMPTY_LOOKING = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8"
    "\U0001d159\U000e0000-\U000e0fff]"
)
"""Letters, marks and signs that fonts draw as nothing: fillers, variation selectors, blanks."""
_WORD = re.compile(r"[^\W가-힣ㄱ-ㆎ](?:[-.]?[^\W가-힣ㄱ-ㆎ])*")
_LOOKALIKES = ("CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU")
"""Scripts with letters that are drawn like Latin ones."""
_UNITS = frozenset("\u00b5\u03bc\u03a9\u2126")
_MAX_MARKS = 64
"""Marks on one letter: sorting them takes quadratic time, and no script stacks as many."""
_DASHES = frozenset("\u02d7\u2043\u2212\u2796\ufe63\uff0d")
"""Dashes that Unicode does not list as such."""
_WAVES = frozenset("\u301c\u3030\u223c\u223f")
_MIDDLE_DOTS = frozenset("\u2022\u2027\u2219\u22c5\u2e31\u30fb\u318d\uff65")
# What keyboards of East Asia give for a hyphen: "MOF\u3161DB\u316101".
_LETTERS_AS_DASH = re.compile("(?<=[A-Za-z0-9])[\u2500\u2501\u30fc\u3161]+(?=[A-Za-z0-9])")
_SECRETS = re.compile(
    r"""(?ix)
    ( (?:password|passwd|passphrase|pwd|secret|token|(?:api|access)[_-]?key) ["'\\]{0,3}\s*[=:]\s*
    | (?:비밀\s?번호|패스워드|비번|암호|인증\s?키|접속\s?키|토큰) ["'\\]{0,3}
      \s*[=:：]\s* (?=["']?[!-~])
    | --(?:password|passwd|secret|token|api-key)\s+
    | \bpassword\s+(?=')
    | \bauthorization:\s*(?:bearer|basic)\s+
    | \b[a-z][a-z0-9+.-]{1,20}://[^\s:/@]{1,64}:(?=[^\s/@]+@)
    )
    (\\?["']?) ([^\s"'\\,;&@}]+)
    """
)
_PRIVATE_KEY = re.compile(
    r"(-----BEGIN [A-Z ]*PRIVATE KEY-----)(?s:.*?)(-----END [A-Z ]*PRIVATE KEY-----|\Z)"
)

_EDGES = "".join(c for c in map(chr, range(0x3001)) if c.isspace() or _HIDDEN.match(c))

MAX_REASON = 1000
"""Characters of a reason, and of a person's answer."""
MAX_TITLE = 200
MAX_BODY = 20_000


def clean(text: str) -> str:
    """Return `text` in the form in which it is stored.

    That is NFC, without hidden characters, and with resident numbers masked. Emoji, Hangul and
    right-to-left scripts keep every character that they need.
    """
    if not (text.isascii() and text.isprintable()):
        text = _composed(_SURROGATE.sub("?", _HIDDEN.sub("", text)))
    return mask_resident_numbers(text)


def mask_secrets(text: str) -> str:
    """Return `text` with likely passwords, keys and personal numbers masked."""
    shown = _SECRETS.sub(r"\1\2***", _PRIVATE_KEY.sub(r"\1***\2", text))
    return mask_hyphenated_numbers(shown)


def fold(text: str) -> str:
    """Return `text` as rules read it: what looks the same is the same.

    NFKC without invisible characters; every dash is a hyphen. Single Hangul letters stay ("ㅠㅠ").
    """
    if text.isascii():
        return _HIDDEN.sub("", text)
    folded = text.translate({ord(c): _folded(c) for c in set(text) if not c.isascii()})
    return _LETTERS_AS_DASH.sub("-", _composed(_HIDDEN.sub("", folded)))


def matching_form(text: str) -> str:
    """Return the form in which names, commands and codes are compared: `fold` without case."""
    return _composed(fold(text).casefold())


def hide_lookalikes(text: str) -> str:
    """Return `text` with every word replaced that mixes Latin letters or digits with look-alikes.

    `MOF-DB-01` with a Cyrillic letter is another name than `MOF-DB-01`, also where only a part of
    it is compared. Other characters keep their places; Hangul may follow a name.
    """
    if text.isascii():
        return text
    return _WORD.sub(_hidden_if_mixed, text)


def _hidden_if_mixed(word: re.Match[str]) -> str:
    letters = {c for c in word[0] if not c.isascii()}
    if not any(map(_is_lookalike, letters)) or not re.search("[A-Za-z0-9]", word[0]):
        return word[0]
    return "\ufffd" * len(word[0])


@lru_cache(maxsize=4096)
def _is_lookalike(character: str) -> bool:
    return character not in _UNITS and unicodedata.name(character, "").startswith(_LOOKALIKES)


@lru_cache(maxsize=4096)
def _folded(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cs" or (_is_invisible(character) and not character.isspace()):
        return ""
    if character in _WAVES:
        return "~"
    if category == "Pd" or character in _DASHES:
        return "-"
    if character in _MIDDLE_DOTS:
        return "·"
    if "\u3131" <= character <= "\u318e":
        return character
    return unicodedata.normalize("NFKC", character)


def _composed(text: str) -> str:
    """Return `text` in NFC, with a bounded number of marks on each letter."""
    if len(text) <= _MAX_MARKS or unicodedata.is_normalized("NFC", text):
        return unicodedata.normalize("NFC", text)
    kept, marks = [], 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= _MAX_MARKS:
            kept.append(character)
    return unicodedata.normalize("NFC", "".join(kept))


def clean_json(value: Any) -> Any:
    """Return a JSON value with every text in it cleaned, keys included.

    If two keys become equal, the last one wins: a server's answer is not refused for that.
    """
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(k) if isinstance(k, str) else k: clean_json(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [clean_json(v) for v in value]
    return value


def is_blank(text: str) -> bool:
    """Return whether nothing of `text` is visible."""
    return all(map(_is_invisible, text))


def _is_invisible(character: str) -> bool:
    return (
        character.isspace()
        or unicodedata.category(character) in {"Cc", "Cf"}
        or _EMPTY_LOOKING.match(character) is not None
    )


def trim(text: str, limit: int | None = None) -> str:
    """Return `text` without blanks around it, cut to `limit`; empty if nothing of it is visible."""
    kept = text.strip(_EDGES)[:limit]
    return "" if is_blank(kept) else kept


def first_line(text: str) -> str:
    """Return the first line of `text` with a visible character; empty if there is none."""
    return next((line for line in text.splitlines() if not is_blank(line)), "")


def _visible(text: str) -> str:
    if is_blank(text):
        raise ValueError("nothing of it is visible")
    return text


CLEANED = AfterValidator(clean)
"""Cleans a field; comes after the length limit: `Annotated[str, Form(max_length=9), CLEANED]`."""
TRIMMED = AfterValidator(lambda text: trim(clean(text)))
"""Cleans and trims a field; invisible text becomes empty, so the use case refuses it."""
VISIBLE = AfterValidator(_visible)
"""Refuses a field without visible characters."""

FOLDED = AfterValidator(lambda text: fold(trim(clean(text))).strip())
"""Folds a field that names something: an account, a server, an agent."""

CleanStr = Annotated[str, CLEANED]
CleanObject = Annotated[dict[str, Any], AfterValidator(clean_json)]
Reason = Annotated[str, StringConstraints(max_length=MAX_REASON), TRIMMED]
Title = Annotated[str, StringConstraints(max_length=MAX_TITLE), TRIMMED]
Body = Annotated[str, StringConstraints(max_length=MAX_BODY), CLEANED]
Name = Annotated[str, TRIMMED]
"""Name or title of a person, an agent or the company."""
