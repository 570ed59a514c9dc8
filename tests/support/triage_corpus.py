"""Sentences to train the classifier of triage: templates of several author styles, with slots.

One line of `benchmarks/triage_corpus/<style>.txt` is `kind|category|priority|action|text`. Category
`k` is the kind of the named server, priority `d` follows the deadline that fills the slot `{d}`.
Lines that begin with "@" hold the deadlines, greetings and closings of the style.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "benchmarks" / "triage_corpus"
KINDS = {"I": "INCIDENT", "R": "REQUEST", "C": "CHANGE", "Q": "QUESTION"}
_NAMES = {
    "was": ("기재부 와스 1호기", "MOF-WAS-02", "행안부 와스", "MOIS-WAS-01", "기재부 WAS#1"),
    "db": ("기재부 운영DB", "MOF-DB-01", "교육부 디비", "MOE-DB-01", "기재부디비"),
    "web": ("교육부 웹서버", "MOE-WEB-01", "교육부 홈페이지 서버"),
    "sec": ("행안부 방화벽 서버", "MOIS-SEC-01"),
}
_KIND_OF = {"was": "WAS", "db": "DB", "web": "WEB", "sec": "SECURITY"}
_SLOTS = {
    "n": ("2", "3", "5", "7", "12"),
    "pct": ("91", "94", "97", "99"),
    "lowpct": ("62", "68", "71", "78"),
    "ver": ("2.4.1", "v3.0.2 버전", "1.8.0 패키지", "신규 버전"),
    "pkg": ("budget-2.1.war", "접수 모듈 1.4.2", "order-api-3.1.jar", "결산 화면 신규본"),
    "ip": ("10.2.3.4", "172.16.8.0/24", "192.168.30.7"),
    "port": ("443", "8080", "1521", "8443"),
    "path": ("/data", "/app/logs", "/var", "/backup"),
    "name": ("이수민", "박정호", "최은지", "강민석"),
    "dept": ("총무과", "정보화담당관실", "민원과", "예산실"),
    "t": ("09:12", "14시 20분", "새벽 3시"),
}
_DEADLINES = {"today": "P2", "week": "P3", "wait": "P4"}
_ANSWER = ("", "", "@wait")


@dataclass(frozen=True)
class Example:
    """A text of a style and its triage."""

    style: str
    text: str
    kind: str
    category: str
    priority: str
    action: str | None


@dataclass
class _Style:
    phrases: dict[str, list[str]] = field(default_factory=dict)
    rows: list[list[str]] = field(default_factory=list)


def examples(per_line: int = 8) -> Iterator[Example]:
    """Yield up to `per_line` different texts of every template, always the same ones."""
    for path in sorted(FOLDER.glob("*.txt")):
        style, draw = _read(path), random.Random(path.stem)
        for row in style.rows:
            drawn = (_fill(path.stem, style, row, draw) for _ in range(per_line * 2))
            yield from list({e.text: e for e in drawn}.values())[:per_line]


def _read(path: Path) -> _Style:
    style = _Style()
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("@"):
            name, _, rest = line[1:].partition(" ")
            style.phrases[name] = [p.replace("\\n", "\n") for p in rest.split("|")]
        elif line and not line.startswith("#"):
            style.rows.append(line.split("|", 4))
    return style


def _fill(name: str, style: _Style, row: list[str], draw: random.Random) -> Example:
    kind, category, priority, action, text = row
    text = text.replace("\\n", "\n")
    if "{srv}" in text:
        # Only servers of the kinds that every problem can have.
        text = text.replace("{srv}", "{" + draw.choice(("was", "db", "web")) + "}")
    server = re.search(r"\{(was|db|web|sec)\}", text)
    if priority == "d":
        priority = {"I": "2"}.get(kind, "3")
        chosen = draw.choice(("", *_DEADLINES))
        if chosen:
            priority = _DEADLINES[chosen][1]
            text = text.replace("{d}", draw.choice(style.phrases[chosen]))
    text = text.replace("{d}", "")
    wait = draw.choice(style.phrases["wait"]) if draw.choice(_ANSWER) else ""
    text = text.replace("{q}", wait)
    for slot in ("today", "week", "wait"):
        text = text.replace("{" + slot + "}", draw.choice(style.phrases[slot]))
    text = draw.choice(style.phrases.get("open", [""])) + text.rstrip()
    text += draw.choice(style.phrases.get("close", [""]))
    text = re.sub(r"\{(\w+)\}", lambda m: draw.choice((_NAMES | _SLOTS)[m[1]]), text)
    return Example(
        name,
        text,
        KINDS[kind],
        _KIND_OF[server[1]] if category == "k" and server else category,
        f"P{priority}",
        None if action == "-" else action,
    )
