"""Set or clear the day on which an account of a server expires."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final

from pydantic import AfterValidator, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.i18n import t
from guardia.org.directory import Host, Service
from guardia.tools.command import Command, Script
from guardia.tools.families import account
from guardia.tools.findings import Done
from guardia.tools.privilege import AS_ROOT, privileged_script
from guardia.tools.tool import (
    EvidenceChoice,
    PatternWord,
    Right,
    ServiceArgs,
    Tool,
    jmespath_literal,
    stdout_parser,
    success_findings,
)

NEVER: Final = "never"
_DAY = r"(19[7-9]\d|20\d\d)-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"


def _real_day(text: str) -> str:
    """Return the text; chage would take a day that no calendar has for another one."""
    try:
        return text if text == NEVER else date.fromisoformat(text).isoformat()
    except ValueError:
        raise PydanticCustomError("day", t("tools.account.set_expiry.no_day")) from None


_Expiry = Annotated[
    str, StringConstraints(pattern=rf"^({NEVER}|{_DAY})$"), AfterValidator(_real_day)
]
_DIGIT = "[0-9]"
_ANY_DAY = PatternWord("2030-01-31", "-".join((_DIGIT * 4, _DIGIT * 2, _DIGIT * 2)))

_SET = Script(
    "account.set_expiry",
    AS_ROOT
    + r"""
as_root "$1" -E "$2" "$3"
""",
)


class ExpiryArgs(ServiceArgs):
    """The last day of an account, or `never`, and what it is before."""

    expires: _Expiry
    previous: _Expiry

    @model_validator(mode="after")
    def _differs(self) -> ExpiryArgs:
        if self.expires == self.previous:
            raise PydanticCustomError("same", t("tools.account.set_expiry.same"))
        return self


def _command(args: ExpiryArgs, host: Host) -> Command:
    day = "-1" if args.expires == NEVER else args.expires
    name = account.changeable(args, host)
    return privileged_script(host, _SET, host.facts.program("chage"), day, name)


def _rights(host: Host, service: Service | None) -> tuple[Right, ...]:
    if service is None:
        return ()
    name, chage = account.name_of(service), host.facts.program("chage")
    return (
        *account.status_rights(host, service),
        (chage, "-E", "-1", name),
        (chage, "-E", _ANY_DAY, name),
    )


def _is(
    args: ExpiryArgs, expires: str, sentence: str, *, future: bool = False
) -> tuple[Check, ...]:
    call = ToolCall(tool="account.status", args={"service": args.service})
    expect = f"exists && expires_on == {jmespath_literal(expires)}"
    if future and args.expires != NEVER:
        # A day that is over would lock the account at once, which is another change.
        expect += f" && today < `{args.expires.replace('-', '')}`"
    return (Check(call=call, expect=expect, sentence=sentence),)


def _shown(day: str) -> str:
    return t("tools.account.set_expiry.never") if day == NEVER else day


def _becomes(args: ExpiryArgs, day: str) -> tuple[Check, ...]:
    return _is(args, day, t("tools.account.set_expiry.verify", expires=_shown(day)))


def _inverse(args: ExpiryArgs) -> ToolCall:
    back = ExpiryArgs(service=args.service, expires=args.previous, previous=args.expires)
    return ToolCall(tool="account.set_expiry", args=back.model_dump())


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="account.set_expiry",
        risk=Risk.CHANGE,
        args=ExpiryArgs,
        command=_command,
        parse=stdout_parser("account.set_expiry", success_findings),
        findings=Done,
        tried_on=("debian-12",),
        precheck=lambda args: _is(
            args,
            args.previous,
            t("tools.account.set_expiry.precheck", previous=_shown(args.previous)),
            future=True,
        ),
        verify=lambda args: _becomes(args, args.expires),
        undo=_inverse,
        undo_verify=lambda args: _becomes(args, args.previous),
        choices=(EvidenceChoice("previous", "account.status", "[expires_on]"),),
        kinds=account.KINDS,
        requires=("chage",),
        rights=_rights,
    ),
)
