"""One act on many issues, each through the board's use case, with what was refused and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from guardia.board.assignment import queue
from guardia.board.control import directives
from guardia.board.control.directive_context import DirectiveRequest
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.issues import visibility
from guardia.board.tracker import issue_list
from guardia.board.tracker.issue_list import IssueQuery, IssueRow
from guardia.errors import Invalid, Missing, Refused, UserError
from guardia.i18n import t
from guardia.org.access import is_allowed, require_permission
from guardia.org.directory import PersonInfo
from guardia.text import trim

MOST = 500
"""Issues that one act changes; a larger change begins with a narrower filter."""
PERMISSION = "issue.assign"
PRIORITIES = ("P1", "P2", "P3", "P4")


@dataclass(frozen=True, slots=True)
class BulkAct:
    """An act with its value and reason."""

    name: str
    value: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RefusedIssue:
    """An issue that was not changed, and why."""

    sr_id: int
    why: str


@dataclass(frozen=True, slots=True)
class BulkResult:
    """Which issues were changed, and which were not."""

    changed: tuple[int, ...]
    failures: tuple[RefusedIssue, ...]


def offered(person: PersonInfo) -> tuple[str, ...]:
    """Return the acts that a person may do at all."""
    if not is_allowed(person, PERMISSION):
        return ()
    return tuple(name for name, action in _PERMISSIONS.items() if is_allowed(person, action))


def matching_numbers(board: BoardContext, person: PersonInfo, query: IssueQuery) -> list[int]:
    """Return the issues that a filter finds, the first `MOST` of them and one more."""
    numbers: list[int] = []
    cursor: str | int | None = None
    while len(numbers) <= MOST:
        page = issue_list.list_issues(
            board, person, IssueQuery(query.state, query.words, cursor, size=MOST + 1)
        )
        numbers += [row.sr_id for row in page.rows]
        if page.older is None:
            break
        cursor = page.older
    return numbers[: MOST + 1]


def visible_rows(
    board: BoardContext, person: PersonInfo, numbers: Sequence[int]
) -> tuple[IssueRow, ...]:
    """Return the rows of those issues that the person may see."""
    with board.database.reading() as session:
        return issue_list.read_visible_rows(session, person, list(numbers))


def require_valid(person: PersonInfo, act: BulkAct, numbers: Sequence[int]) -> None:
    """Raise `Invalid` with the field that is wrong, `Forbidden` without the permission."""
    require_permission(person, PERMISSION)
    if act.name not in _ACTS:
        raise Invalid(what=t("issues.bulk.act"), why=t("issues.bulk.choose_act"), field="act")
    require_permission(person, _PERMISSIONS[act.name])
    if not numbers:
        raise Missing(what=t("issues.bulk.issues"), why=t("issues.bulk.choose"), field="act")
    if len(numbers) > MOST:
        why = t("issues.bulk.too_many", most=MOST)
        raise Invalid(what=t("issues.bulk.issues"), why=why, field="act")
    if act.name in _VALUED and not act.value.strip():
        raise Missing(what=t("issues.bulk.value"), why=t("issues.bulk.choose_value"), field="value")
    if act.name == "priority" and act.value not in PRIORITIES:
        why = ", ".join(PRIORITIES)
        raise Invalid(what=t("issues.bulk.value"), why=why, field="value")
    if act.name in IRREVERSIBLE and not trim(act.reason):
        why = t("issues.bulk.need_reason")
        raise Missing(what=t("issues.bulk.reason"), why=why, field="reason")


def carry_out(
    board: BoardContext, person: PersonInfo, act: BulkAct, numbers: Sequence[int]
) -> BulkResult:
    """Do an act on each issue; one that refuses does not keep the others from it."""
    chosen = tuple(dict.fromkeys(numbers))
    require_valid(person, act, chosen)
    changed, failures = [], []
    for number in chosen:
        try:
            visibility.require_issue(board, person, number)
            _ACTS[act.name](board, person, number, act)
            changed.append(number)
        except UserError as error:
            failures.append(RefusedIssue(number, str(error)))
    return BulkResult(tuple(changed), tuple(failures))


def _assign(board: BoardContext, person: PersonInfo, sr_id: int, act: BulkAct) -> None:
    queue.assign(board, person, sr_id, act.value.strip(), act.reason)


def _take(board: BoardContext, person: PersonInfo, sr_id: int, _act: BulkAct) -> None:
    queue.take(board, person, sr_id)


def _direct(verb: str, *, every: bool) -> Callable[[BoardContext, PersonInfo, int, BulkAct], None]:
    """Return the act that directs the tasks of an issue: every one, or the first for all."""

    def act_on(board: BoardContext, person: PersonInfo, sr_id: int, act: BulkAct) -> None:
        tasks = directives.eligible_tasks(board, sr_id, verb)
        if not tasks:
            raise Refused(why=t("issues.bulk.no_task", sr=issue_ref(sr_id)))
        request = DirectiveRequest(verb, act.reason, act.value)
        for task_id in tasks if every else tasks[:1]:
            directives.issue_directive(board, person, task_id, request)

    return act_on


_ACTS: MappingProxyType[str, Callable[[BoardContext, PersonInfo, int, BulkAct], None]] = (
    MappingProxyType(
        {
            "take": _take,
            "assign": _assign,
            "priority": _direct("priority", every=False),
            "complete": _direct("complete", every=True),
            "abort": _direct("abort", every=True),
        }
    )
)
_PERMISSIONS = MappingProxyType(
    {
        "take": "issue.assign",
        "assign": "issue.assign",
        "priority": "directive.priority",
        "complete": "directive.complete",
        "abort": "directive.abort",
    }
)
_VALUED = frozenset({"assign", "priority"})
IRREVERSIBLE = frozenset({"complete", "abort"})
"""Acts that end work; people must give a reason."""
