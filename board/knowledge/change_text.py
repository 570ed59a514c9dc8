"""Write what an issue taught into the text of a document, at the section that was cited. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.labels import SEOUL
from guardia.board.knowledge.solved_issues import SolvedIssue
from guardia.i18n import t_default

_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*\s*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_FIRST_LEVEL = 1


@dataclass(frozen=True, slots=True)
class IssueLesson:
    """What an issue taught about a document."""

    issue: SolvedIssue
    reason: str
    """`otherwise` or `verification`."""
    heading_path: tuple[str, ...]
    """The section that was cited."""


def changed(text: str, lessons: Sequence[IssueLesson]) -> str:
    """Return a text with a section for each lesson, at the end of the section it is about."""
    for lesson in lessons:
        lines = text.splitlines()
        at, level = _end_of(lines, lesson.heading_path)
        before = lines[:at]
        while before and not before[-1].strip():
            before.pop()
        after = lines[at:]
        text = "\n".join(
            [*before, "", *_section(lesson, level + 1), *(["", *after] if after else [])]
        )
        text += "\n"
    return text


def quoted(text: str) -> str:
    """Return foreign text that stays text: its headings and front matter mean nothing here."""
    return "\n".join(f"> {line}" if line.strip() else ">" for line in text.strip().splitlines())


def _section(lesson: IssueLesson, level: int) -> list[str]:
    issue, ref = lesson.issue, issue_ref(lesson.issue.sr_id)
    title = t_default(f"documents.change.heading.{lesson.reason}", ref=ref)
    day = f"{issue.closed_at.astimezone(SEOUL):%Y-%m-%d}" if issue.closed_at else ""
    place = " · ".join(one for one in (", ".join(issue.servers), day) if one)
    failed = issue.failures[:1] if lesson.reason == "verification" else ()
    parts = [
        ("symptom", quoted(issue.request)),
        ("failure", quoted("\n\n".join(failed))),
        ("steps", "\n\n".join(map(quoted, issue.steps))),
        ("result", quoted(issue.result)),
    ]
    found = [f"{'#' * min(level, 6)} {title}", ""]
    if place:
        found += [place, ""]
    for name, text in parts:
        if text:
            found += [f"**{t_default(f'documents.proposal.{name}')}**", "", *text.split("\n"), ""]
    source = t_default("documents.proposal.source")
    return [*found, f"{source}: [{ref}](/issues/{issue.sr_id})"]


def _end_of(lines: Sequence[str], path: Sequence[str]) -> tuple[int, int]:
    """Return the line where a section ends, and its level; the end of the text if there is none."""
    wanted = [_plain(one) for one in path]
    found, level = 0, _FIRST_LEVEL
    for at, depth, title in _headings(lines):
        if wanted and found == len(wanted):
            if depth <= level:
                return at, level
        elif wanted and _plain(title) == wanted[found]:
            found, level = found + 1, depth
    return len(lines), level if wanted and found == len(wanted) else _FIRST_LEVEL


def _headings(lines: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Yield line, level and title of each heading outside of code and front matter."""
    fence = ""
    start = _after_front_matter(lines)
    for at, line in enumerate(lines[start:], start):
        mark = _FENCE.match(line)
        if fence:
            fence = "" if mark and mark[1].startswith(fence) else fence
        elif mark:
            fence = mark[1]
        elif found := _HEADING.match(line):
            yield at, len(found[1]), found[2]


def _after_front_matter(lines: Sequence[str]) -> int:
    if not lines or lines[0].strip() != "---":
        return 0
    return next((at + 1 for at, line in enumerate(lines[1:], 1) if line.strip() == "---"), 0)


def _plain(title: str) -> str:
    return re.sub(r"[\W_]+", "", title).casefold()
