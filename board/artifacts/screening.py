"""What of a file that people bring is kept, under which name: no resident number, no program."""

from __future__ import annotations

import re

from guardia.board.artifacts import office
from guardia.board.artifacts.charsets import decode
from guardia.personal_numbers import mask_resident_numbers
from guardia.text import trim

MAX_NAME = 120
_TEXT_TYPES = re.compile(r"text/.*|application/(json|xml|x-sh|sql|csv|yaml|.*\+(json|xml))")
_TEXT_ENDINGS = (".txt", ".log", ".csv", ".json", ".xml", ".sql", ".md", ".eml")
_HYPHENATED = re.compile(
    rb"(?<!\d)\d\x00?\d\x00?[01]\x00?\d\x00?[0-3]\x00?\d\x00?-\x00?[1-8]\x00?(?:\d\x00?){6}(?!\d)"
)
_FORBIDDEN_IN_NAMES = frozenset('<>:"/\\|?*')
_PROGRAMS = re.compile(
    r"ad[ep]|appx?|bat|bin|chm|cmd|com|cpl|dll|dmg|exe|gadget|hta|img|inf|iso|jar|jse?|lnk|md[et]|"
    r"ms[cipt]|ps1(xml)?|psc1|psm1|pyw?|reg|scf|scr|sct|shb?|sys|url|vb[es]?|vhdx?|ws[cfh]?|xll"
)
"""Endings that some system runs, opens as a disk or follows as a link on a double click."""
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_HARMLESS = ".txt"
_EXECUTABLE = (b"MZ", b"\x7fELF", b"\xfe\xed\xfa", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
_IMAGES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


def kept_content(name: str, media_type: str, content: bytes) -> tuple[bytes | None, str]:
    """Return what is stored of a file, or why nothing is: a name of `artifacts.not_kept`."""
    if _is_text(name, media_type, content):
        text = decode(content)
        masked = mask_resident_numbers(text)
        return (content if masked == text else masked.encode("utf-8", "replace")), ""
    if _HYPHENATED.search(content):
        return None, "personal"
    if content.startswith(b"PK") and name.lower().endswith(office.ENDINGS):
        found = office.has_resident_number(content)
        return (None, "personal") if found else (content, "")
    return content, ""


def _is_text(name: str, media_type: str, content: bytes) -> bool:
    if b"\x00" in content[:65_536]:
        return False
    if _TEXT_TYPES.fullmatch(media_type.lower()) or media_type == "message/rfc822":
        return True
    return name.lower().endswith(_TEXT_ENDINGS)


def is_program(content: bytes) -> bool:
    """Return whether a content is a compiled program, by its first bytes."""
    return content.startswith(_EXECUTABLE)


def image_type(beginning: bytes) -> str | None:
    """Return the media type of an image that browsers draw without running anything in it."""
    if beginning[:4] == b"RIFF" and beginning[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _IMAGES if beginning.startswith(magic)), None)


def safe_name(name: str) -> str:
    """Return the last part of a path as a name that no system misunderstands; empty if none is.

    A name that a double click would run or follow gets an ending that opens it as text.
    """
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join("_" if c in _FORBIDDEN_IN_NAMES or ord(c) < 32 else c for c in last)
    # Behind a dot may be what cannot be seen, and behind that another dot.
    while (bare := trim(kept).strip(". ")) != kept:
        kept = bare
    if len(kept) > MAX_NAME:
        stem, dot, ending = kept.rpartition(".")
        kept = f"{stem[: MAX_NAME - 12]}{dot}{ending[:11]}" if dot else kept[:MAX_NAME]
    if _DEVICES.fullmatch(kept):
        kept = f"_{kept}"
    ending = kept.rpartition(".")[2].strip().lower()
    return f"{kept}{_HARMLESS}" if "." in kept and _PROGRAMS.fullmatch(ending) else kept
