"""Text in any Korean encoding."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterator

from guardia.knowledge.loaders.reading import Unreadable
from guardia.knowledge.passages import Block

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ISO_2022_KR = b"\x1b$)C"
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_MOST_CONTROL = 0.01
_LEAST_USUAL = 0.7
_SEPARATED = (("\t", ".tsv"), (",", ".csv"))
_RULE = re.compile(r"^\s*[=\-~^*]{3,}\s*$")


def decode(data: bytes) -> str:
    """Return the text of bytes. Raises `Unreadable` for what is no text."""
    text = unicodedata.normalize("NFC", _decoded(data))
    if len(_CONTROL.findall(text)) > _MOST_CONTROL * len(text):
        raise Unreadable("binary")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def _decoded(data: bytes) -> str:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    if (wide := _wide(data)) is not None:
        return data.decode(wide, "replace")
    if _ISO_2022_KR in data[:4096]:
        return data.decode("iso2022_kr", "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    # Both have two bytes a syllable; the right one gives the syllables that people write.
    read = [data.decode(encoding, "replace") for encoding in ("cp949", "johab")]
    best = max(read, key=_plausibility)
    damaged = data.decode("utf-8", "replace")
    return damaged if _plausibility(damaged) > _plausibility(best) else best


def _wide(data: bytes) -> str | None:
    """Return the UTF-16 without a mark that a content is: every second byte of ASCII is 0."""
    sample = data[: 4096 & ~1]
    if len(sample) < 4 or sample.count(0) < len(sample) // 16:
        return None
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) < 4 * min(even, odd) or max(even, odd) == 0:
        return None
    wide = "utf-16-le" if odd > even else "utf-16-be"
    # A few zeros among bytes of another kind would make Chinese characters of ASCII.
    read = sample.decode(wide, "replace")
    usual = sum(one.isprintable() if one.isascii() else _is_usual(one) for one in read)
    return wide if usual + sum(map(read.count, "\r\n\t")) >= _LEAST_USUAL * len(read) else None


def _plausibility(text: str) -> float:
    """Return how much of the foreign text is Korean that is usual: in the 2,350 of KS X 1001."""
    foreign = [character for character in text[:20_000] if not character.isascii()]
    usual = sum(_is_usual(character) for character in foreign)
    lost = text.count("\ufffd", 0, 20_000)
    return (usual - 2 * lost) / max(len(foreign), 1)


def _is_usual(character: str) -> bool:
    if not "가" <= character <= "힣":
        return character in "·“”‘’…「」『』①②③④⑤○●□■△▲→※"
    try:
        character.encode("euc_kr")
    except UnicodeEncodeError:
        return False
    return True


def blocks(data: bytes, name: str = "") -> list[Block]:
    """Return the paragraphs of a text; a CSV file is one table."""
    text = decode(data)
    for separator, suffix in _SEPARATED:
        if name.lower().endswith(suffix):
            return [Block("table", rows=_rows(text, separator))]
    return list(_paragraphs(text))


def _rows(text: str, separator: str) -> tuple[tuple[str, ...], ...]:
    import csv

    csv.field_size_limit(1 << 20)
    try:
        return tuple(tuple(row) for row in csv.reader(text.splitlines(), delimiter=separator))
    except csv.Error as error:
        raise Unreadable("damaged") from error


def _paragraphs(text: str) -> Iterator[Block]:
    for part in re.split(r"\n[ \t]*\n", text):
        lines = part.strip("\n").split("\n")
        if len(lines) > 1 and _RULE.match(lines[1]) and len(lines[0]) <= 80:
            yield Block("heading", lines[0].strip(), level=1 if "=" in lines[1] else 2)
            lines = lines[2:]
        if rest := "\n".join(lines).strip("\n"):
            yield Block("text", rest)
