"""Accounts of a server: locks, failed log-ins, expiry, and locking or unlocking one of them.

A service of kind `account` names the account (`login`). An account that is not registered is out of
reach, and the lines for sudo are exact.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.errors import Refused
from guardia.i18n import t
from guardia.org.directory import Host, Service
from guardia.tools import target
from guardia.tools.command import Command, Script
from guardia.tools.findings import Count, Done, FindingsModel, Line, Word
from guardia.tools.privilege import AS_ROOT, privileged_script
from guardia.tools.target import service_on
from guardia.tools.tool import (
    Findings,
    Right,
    ServiceArgs,
    Tool,
    stdout_parser,
    success_findings,
)

KINDS: Final = ("account",)
_ACCOUNT = re.compile(r"[a-z_][a-z0-9_.-]{0,31}")
_PROTECTED = frozenset({"root", "toor"})

# Where the counter of failed log-ins is depends on the system: pam_faillock, before it pam_tally2.
_STATUS = Script(
    "account.status",
    AS_ROOT
    + r"""
passwd=$1 chage=$2 faillock=$3 tally=$4 name=$5
if ! entry=$(getent passwd -- "$name"); then echo missing; exit 0; fi
echo "entry $entry"
echo "groups $(id -Gn -- "$name" 2>/dev/null || true)"
echo "status $(as_root "$passwd" -S "$name" 2>/dev/null | head -n 1 || true)"
if command -v -- "$faillock" >/dev/null; then
  if failed=$(as_root "$faillock" --user "$name" 2>/dev/null); then
    echo "failures $(printf '%s\n' "$failed" | grep -cE ' V *$' || true)"
  fi
elif command -v -- "$tally" >/dev/null; then
  if failed=$(as_root "$tally" --user "$name" 2>/dev/null); then
    set -- $(printf '%s\n' "$failed" | tail -n 1)
    echo "failures ${2:-0}"
  fi
fi
deny=$(sed -n 's/^ *deny *= *\([0-9][0-9]*\).*/\1/p' /etc/security/faillock.conf 2>/dev/null |
  tail -n 1 || true)
echo "deny ${deny:-}"
echo "today $(date +%Y%m%d)"
if pam=$(cat /etc/pam.d/* 2>/dev/null); then
  case $pam in *pam_faillock.so*|*pam_tally2.so*) echo "counted 1" ;; esac
fi
echo expiry
as_root "$chage" -l "$name" 2>/dev/null || true
echo logins
(last -F -w -n 5 -- "$name" 2>/dev/null || last -n 5 "$name" 2>/dev/null || true) | head -n 5
""",
)

_LOCK = Script(
    "account.lock",
    AS_ROOT
    + r"""
as_root "$1" -l "$2"
""",
)
_UNLOCK = Script(
    "account.unlock",
    AS_ROOT
    + r"""
as_root "$1" -u "$2"
""",
)
_CLEAR = Script(
    "account.clear_failures",
    AS_ROOT
    + r"""
if command -v -- "$1" >/dev/null; then
  as_root "$1" --user "$3" --reset
else
  as_root "$2" --user "$3" --reset
fi
""",
)

_PASSWORD = {
    "L": "locked",
    "LK": "locked",
    "P": "set",
    "PS": "set",
    "NP": "none",
}


class AccountFindings(FindingsModel):
    """The state of an account. What the server does not say is `None`."""

    exists: bool
    password: Literal["set", "locked", "none"] | None
    failures: Count | None
    """Failed log-ins that count."""
    allowed_failures: Count | None
    """After so many, log-ins are refused, if the server counts them."""
    refused: bool
    """Whether log-ins are refused because of failures."""
    account_expires: Line | None
    account_expired: bool
    expires_on: Line | None
    """The last day as a date, or `never`."""
    today: Count | None
    """The server's day as a number, such as 20261130."""
    password_expires: Line | None
    password_expired: bool
    shell: Line | None
    groups: Annotated[list[Word], Field(max_length=100)]
    last_logins: Annotated[list[Line], Field(max_length=5)]


def name_of(service: Service) -> str:
    """Return the account that a service names. Raises `Refused` if it is none for tools."""
    name = target.login(service)
    if not _ACCOUNT.fullmatch(name) or name in _PROTECTED:
        raise Refused(why=t("tools.account.protected", account=name))
    return name


def service_of(args: ServiceArgs, host: Host) -> Service:
    """Return the service that names an account."""
    return service_on(host, args.service, KINDS)


def changeable(args: ServiceArgs, host: Host) -> str:
    """Return the account that a change is for. Raises `Refused` for the one that we use."""
    name = name_of(service_of(args, host))
    if name == host.account:
        raise Refused(why=t("tools.account.own", account=name))
    return name


def _status(args: ServiceArgs, host: Host) -> Command:
    name = name_of(service_of(args, host))
    programs = (host.facts.program(p) for p in ("passwd", "chage", "faillock", "pam_tally2"))
    return privileged_script(host, _STATUS, *programs, name)


def status_rights(host: Host, service: Service | None) -> tuple[Right, ...]:
    """Return what reading an account's state needs."""
    if service is None:
        return ()
    name = name_of(service)
    counter = _counter(host)
    return (
        (host.facts.program("passwd"), "-S", name),
        (host.facts.program("chage"), "-l", name),
        (counter, "--user", name),
    )


def _counter(host: Host) -> str:
    """Return the program that counts failed log-ins on the server."""
    faillock, tally = host.facts.program("faillock"), host.facts.program("pam_tally2")
    return tally if "/" in tally and "/" not in faillock else faillock


def _passwd(script: Script, args: ServiceArgs, host: Host) -> Command:
    return privileged_script(host, script, host.facts.program("passwd"), changeable(args, host))


def _clear(args: ServiceArgs, host: Host) -> Command:
    programs = (host.facts.program(p) for p in ("faillock", "pam_tally2"))
    return privileged_script(host, _CLEAR, *programs, changeable(args, host))


def _passwd_right(option: str, host: Host, service: Service | None) -> tuple[Right, ...]:
    return ((host.facts.program("passwd"), option, name_of(service)),) if service else ()


def _clear_right(host: Host, service: Service | None) -> tuple[Right, ...]:
    return ((_counter(host), "--user", name_of(service), "--reset"),) if service else ()


def _read_status(text: str) -> Findings:
    head, _, rest = text.partition("\nexpiry\n")
    expiry, _, logins = rest.partition("logins\n")
    facts = dict(line.partition(" ")[::2] for line in head.splitlines())
    entry = facts.get("entry", "").split(":")
    status = facts.get("status", "").split()
    failures = facts.get("failures", "")
    deny = facts.get("deny", "") or ("3" if "counted" in facts else "")
    counted = "counted" in facts and failures.isdecimal()
    return {
        "exists": "entry" in facts,
        "password": _PASSWORD.get(status[1]) if len(status) > 1 else None,
        "failures": int(failures) if failures.isdecimal() else None,
        "allowed_failures": int(deny) if deny.isdecimal() and counted else None,
        "refused": counted and deny.isdecimal() and int(failures) >= int(deny) > 0,
        **_read_expiry(expiry),
        "today": int(facts["today"]) if facts.get("today", "").isdecimal() else None,
        "shell": entry[6][:200] if len(entry) > 6 else None,
        "groups": facts.get("groups", "").split()[:100],
        "last_logins": [
            " ".join(line.split())[:300]
            for line in logins.splitlines()
            if line.strip() and not line.startswith("wtmp")
        ][:5],
    }


def _read_expiry(text: str) -> Findings:
    """Read `chage -l`: `Account expires : Dec 31, 2026`, or `never`."""
    facts = {
        k.strip(): v.strip() for k, _, v in (line.partition(":") for line in text.splitlines())
    }
    account, password = facts.get("Account expires"), facts.get("Password expires")
    return {
        "account_expires": account,
        "account_expired": _is_past(account),
        "expires_on": _as_date(account),
        "password_expires": password,
        "password_expired": _is_past(password) or password == "password must be changed",
    }


def _is_past(day: str | None) -> bool:
    found = _moment(day)
    return found is not None and found <= datetime.now(UTC)


def _as_date(day: str | None) -> str | None:
    found = _moment(day)
    return found.date().isoformat() if found else "never" if day == "never" else None


def _moment(day: str | None) -> datetime | None:
    try:
        return datetime.strptime(day or "", "%b %d, %Y").replace(tzinfo=UTC)
    except ValueError:
        return None


def _password_is(args: ServiceArgs, state: str, sentence: str) -> tuple[Check, ...]:
    call = ToolCall(tool="account.status", args=args.model_dump())
    return (Check(call=call, expect=f"exists && password=='{state}'", sentence=sentence),)


def _has_failures(args: ServiceArgs, expect: str, sentence: str) -> tuple[Check, ...]:
    call = ToolCall(tool="account.status", args=args.model_dump())
    return (Check(call=call, expect=expect, sentence=sentence),)


def _locked(args: ServiceArgs) -> tuple[Check, ...]:
    return _password_is(args, "locked", t("tools.account.lock.verify", service=args.service))


def _usable(args: ServiceArgs) -> tuple[Check, ...]:
    return _password_is(args, "set", t("tools.account.unlock.verify", service=args.service))


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="account.status",
        risk=Risk.READ,
        args=ServiceArgs,
        command=_status,
        parse=stdout_parser("account.status", _read_status),
        findings=AccountFindings,
        tried_on=("debian-12",),
        kinds=KINDS,
        requires=("passwd", "chage", "faillock|pam_tally2|passwd"),
        rights=status_rights,
    ),
    Tool(
        name="account.unlock",
        risk=Risk.CHANGE,
        args=ServiceArgs,
        command=lambda args, host: _passwd(_UNLOCK, args, host),
        parse=stdout_parser("account.unlock", success_findings),
        findings=Done,
        tried_on=("debian-12",),
        precheck=_locked,
        verify=_usable,
        undo=lambda args: ToolCall(tool="account.lock", args=args.model_dump()),
        undo_verify=_locked,
        kinds=KINDS,
        requires=("passwd",),
        rights=lambda host, service: _passwd_right("-u", host, service),
    ),
    Tool(
        name="account.lock",
        risk=Risk.CHANGE,
        args=ServiceArgs,
        command=lambda args, host: _passwd(_LOCK, args, host),
        parse=stdout_parser("account.lock", success_findings),
        findings=Done,
        tried_on=("debian-12",),
        precheck=_usable,
        verify=_locked,
        undo=lambda args: ToolCall(tool="account.unlock", args=args.model_dump()),
        undo_verify=_usable,
        kinds=KINDS,
        requires=("passwd",),
        rights=lambda host, service: _passwd_right("-l", host, service),
    ),
    Tool(
        name="account.clear_failures",
        risk=Risk.CHANGE,
        args=ServiceArgs,
        command=_clear,
        parse=stdout_parser("account.clear_failures", success_findings),
        findings=Done,
        tried_on=("debian-12",),
        precheck=lambda args: _has_failures(
            args,
            "failures && failures > `0`",
            t("tools.account.clear_failures.precheck", service=args.service),
        ),
        verify=lambda args: _has_failures(
            args,
            "failures == `0`",
            t("tools.account.clear_failures.verify", service=args.service),
        ),
        irreversible="tools.account.clear_failures.irreversible",
        kinds=KINDS,
        requires=("faillock|pam_tally2",),
        rights=_clear_right,
    ),
)
