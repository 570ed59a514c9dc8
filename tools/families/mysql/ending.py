"""Ending a query, or a connection, of exactly one session."""

from __future__ import annotations

from typing import Any

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.i18n import t
from guardia.org.directory import Host
from guardia.tools.command import Command, Script
from guardia.tools.families.mysql.client import CLIENT, KINDS, PROGRAMS, run
from guardia.tools.families.mysql.sessions import SessionArgs, session_condition
from guardia.tools.findings import FindingsModel
from guardia.tools.tool import EvidenceChoice, Findings, Tool, jmespath_literal, stdout_parser

# KILL takes a number only, so the session is compared just before.
_KILL = Script(
    "mysql.kill",
    CLIENT
    + r"""
what=$1 id=$2 condition=$3
if [ "$(ask "select count(*) from information_schema.processlist p where $condition")" = 1 ]; then
  ask "kill $what $id"
  echo 1
else
  echo 0
fi
""",
)


class KillFindings(FindingsModel):
    """Whether the session was there."""

    acted: bool


def _kill(what: str, args: SessionArgs, host: Host, also: str = "") -> Command:
    condition = session_condition(args) + also
    return run(_KILL, args.service, host, what, args.id, condition)


def _kill_query(args: SessionArgs, host: Host) -> Command:
    return _kill("query", args, host, " and p.command <> 'Sleep'")


def _kill_session(args: SessionArgs, host: Host) -> Command:
    return _kill("connection", args, host)


def _read_acted(answer: str) -> Findings:
    return {"acted": answer.rsplit(maxsplit=1)[-1] == "1"}


def _this(args: SessionArgs, also: str) -> str:
    named = ((name, jmespath_literal(getattr(args, name))) for name in ("id", "user", "client"))
    return " && ".join([f"{name}=={value}" for name, value in named] + [also])


def _may_end_query(args: SessionArgs) -> tuple[Check, ...]:
    call = ToolCall(tool="mysql.sessions", args={"service": args.service})
    this = _this(args, "command!='Sleep' && may_kill")
    sentence = t("tools.mysql.kill_query.precheck", id=args.id)
    return (Check(call=call, expect=f"length(sessions[?{this}]) > `0`", sentence=sentence),)


def _still_blocking(args: SessionArgs) -> tuple[Check, ...]:
    call = ToolCall(tool="mysql.locks", args={"service": args.service})
    sentence = t("tools.mysql.kill_session.precheck", id=args.id)
    expect = f"length(roots[?{_this(args, 'may_kill')}]) > `0`"
    return (Check(call=call, expect=expect, sentence=sentence),)


def _is(args: SessionArgs, expect: str, sentence: str) -> tuple[Check, ...]:
    call = ToolCall(tool="mysql.session", args=args.model_dump())
    return (Check(call=call, expect=expect, within=10, sentence=sentence),)


_FOLLOWS = {"user": "user", "client": "client"}

TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="mysql.kill_query",
        risk=Risk.CHANGE,
        args=SessionArgs,
        command=_kill_query,
        parse=stdout_parser("mysql.kill_query", _read_acted),
        findings=KillFindings,
        tried_on=("debian-12",),
        precheck=_may_end_query,
        verify=lambda args: _is(
            args, "!present || !busy", t("tools.mysql.kill_query.verify", id=args.id)
        ),
        irreversible="tools.mysql.kill_query.irreversible",
        choices=(
            EvidenceChoice(
                "id", "mysql.sessions", "sessions[?command!='Sleep' && may_kill]", "id", _FOLLOWS
            ),
        ),
        kinds=KINDS,
        platforms=KINDS,
        requires=PROGRAMS,
    ),
    Tool(
        name="mysql.kill_session",
        risk=Risk.CHANGE,
        args=SessionArgs,
        command=_kill_session,
        parse=stdout_parser("mysql.kill_session", _read_acted),
        findings=KillFindings,
        tried_on=("debian-12",),
        precheck=_still_blocking,
        verify=lambda args: _is(args, "!present", t("tools.mysql.kill_session.verify", id=args.id)),
        irreversible="tools.mysql.kill_session.irreversible",
        choices=(EvidenceChoice("id", "mysql.locks", "roots[?may_kill]", "id", _FOLLOWS),),
        kinds=KINDS,
        platforms=KINDS,
        requires=PROGRAMS,
    ),
)
