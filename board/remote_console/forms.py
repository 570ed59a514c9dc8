"""Read the form of a run as people fill it in."""

from __future__ import annotations

import re
from collections.abc import Mapping

from guardia.board.cmdb.server_list import ServerFilter
from guardia.board.remote_console.runs import RunRequest
from guardia.errors import Invalid
from guardia.i18n import t

ARGUMENT = "arg-"
"""Prefix of the fields of arguments."""
FILTERS = ("institution", "kind", "group", "text")
_ISSUE = re.compile(r"(?:SR-?)?([1-9][0-9]{0,17})", re.I)


def read_filter(given: Mapping[str, str]) -> ServerFilter:
    """Return the filter of a form."""
    words = {name: given.get(name, "").strip()[:100] for name in FILTERS}
    return ServerFilter(words["institution"], words["kind"], words["text"], group=words["group"])


def read_request(given: Mapping[str, str]) -> RunRequest:
    """Return what a form asks for. Raises `Invalid` for a number that is none."""
    args = {
        name.removeprefix(ARGUMENT): text
        for name, text in given.items()
        if name.startswith(ARGUMENT)
    }
    expected = given.get("expected", "")
    return RunRequest(
        tool=given.get("tool", ""),
        args=args,
        reason=given.get("reason", ""),
        wanted=read_filter(given),
        sr_id=_issue(given.get("sr", "").strip()),
        expected=int(expected) if re.fullmatch(r"[0-9]{1,9}", expected) else None,
    )


def _issue(text: str) -> int | None:
    if not text:
        return None
    found = _ISSUE.fullmatch(text)
    if found is None:
        raise Invalid(what=t("remote.issue"), why=t("remote.wrong_issue"), field="sr")
    return int(found[1])
