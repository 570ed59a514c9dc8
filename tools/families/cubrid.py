"""CUBRID by its own utilities: transactions, lock waits, volumes, error log, killing a transaction.

Everything here follows CUBRID's manual and is labelled so.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.errors import Refused
from guardia.i18n import t
from guardia.org.directory import Host, Service
from guardia.tools import target
from guardia.tools.command import Command, Script, StoredSecret
from guardia.tools.findings import Count, Done, FilePath, FindingsModel, Line, Seconds, Share, Word
from guardia.tools.target import service_on
from guardia.tools.tool import (
    EvidenceChoice,
    Findings,
    ServiceArgs,
    Tool,
    jmespath_literal,
    stdout_parser,
    success_findings,
)

KINDS: Final = ("cubrid",)
MANUAL: Final = (
    "CUBRID Manual, Administrator's Guide: cubrid Utilities (tranlist, killtran, spacedb); "
    "Controlling CUBRID Processes (database server error log)"
)

_UTILITY = Script(
    "cubrid.utility",
    r"""
cubrid=$1
shift
if ! command -v -- "$cubrid" >/dev/null; then echo "cubrid is not installed" >&2; exit 3; fi
"$cubrid" "$@" </dev/null
""",
)

# Only a DBA may kill. The utility takes the password as an argument, which every account of the
# server could read, or at its prompt: it is entered there.
_KILL = Script(
    "cubrid.kill_transaction",
    r"""
cubrid=$1 database=$2 index=$3 user=$4 host=$5 pid=$6 program=$7
IFS= read -r password || true
wanted="$index $user $host $pid $program"
found=$("$cubrid" tranlist -s "$database" </dev/null | while read -r at account client process name
do
  if [ "${at%%(*} $account $client $process $name" = "$wanted" ]; then echo 1; fi
done)
[ "$found" = 1 ] || { echo "transaction $index is another one now" >&2; exit 3; }
printf '%s\n' "$password" | "$cubrid" killtran -f -i "$index" "$database"
""",
)

_ERROR_LOG = Script(
    "cubrid.error_log",
    r"""
folder=$(readlink -e -- "$1") || { echo "no such folder: $1" >&2; exit 3; }
newest=$(ls -t -- "$folder/$2"_*.err 2>/dev/null | head -n 1 || true)
[ -n "$newest" ] || { echo "no $2_*.err below $folder" >&2; exit 3; }
echo "file $newest"
tail -c 1048576 -- "$newest" | { grep -aA 1 -E '^Time: ' || true; } | tail -n 400 | cut -c 1-500
""",
)

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.@-]{1,100}$")]


class TransactionArgs(ServiceArgs):
    """One transaction, and the client that it must belong to."""

    index: Annotated[int, Field(gt=0, lt=100_000)]
    user: Name
    host: Name
    pid: Annotated[int, Field(gt=0, lt=2**31)]
    program: Name


class TransactionRow(FindingsModel):
    """A transaction and its client."""

    index: Count
    state: Word
    user: Word
    host: Word
    pid: Count
    program: Word
    query_seconds: Seconds
    transaction_seconds: Seconds
    waits_for: Annotated[list[Count], Field(max_length=200)]
    query: Line | None
    blocked: Count


class TransactionsFindings(FindingsModel):
    """Transactions, and those that block others and do not wait themselves."""

    transactions: Annotated[list[TransactionRow], Field(max_length=500)]
    waiting: Count
    roots: Annotated[list[TransactionRow], Field(max_length=20)]


class VolumeRow(FindingsModel):
    """A volume of the database."""

    purpose: Word
    type: Word
    used_bytes: Count
    bytes: Count
    percent: Share
    path: FilePath


class SpaceFindings(FindingsModel):
    """Volumes, and how full those for permanent data are together."""

    percent: Share
    volumes: Annotated[list[VolumeRow], Field(max_length=500)]


class ErrorRow(FindingsModel):
    """An entry of the server's error log."""

    time: Word
    level: Word
    code: Annotated[int, Field(ge=-100_000, le=100_000)] | None
    text: Line


class ErrorsFindings(FindingsModel):
    """The last errors of the server."""

    file: Line
    count: Count
    errors: Annotated[list[ErrorRow], Field(max_length=100)]


_TRANSACTION = re.compile(
    r"^\s*(\d+)\(([^)]+)\)\s+(\S+)\s+(\S+)\s+(\d+)\s+(\S+)\s+([\d.]+)\s+([\d.]+)\s+"
    r"(-1|\d+(?:,\s*\d+)*)\s+(.*)$"
)
_VOLUME = re.compile(
    r"^\s*(\d+)\s+(PERMANENT|TEMPORARY)\s+(PERMANENT|TEMPORARY) DATA\s+"
    r"([\d.]+) ([KMGT])\s+([\d.]+) ([KMGT])\s+([\d.]+) ([KMGT])\s+(/.*)$"
)
_ERROR = re.compile(r"^Time: (\S+ \S+) - ([A-Z ]+?) \*\*\* (.*)$")
_CODE = re.compile(r"CODE = (-?\d+)")
_SIZES = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def _service(name: str, host: Host) -> Service:
    return service_on(host, name, KINDS)


def _utility(verb: str, args: ServiceArgs, host: Host, *options: str) -> Command:
    database = target.database(_service(args.service, host))
    return Command.script(_UTILITY, host.facts.program("cubrid"), verb, *options, database)


def _kill(args: TransactionArgs, host: Host) -> Command:
    service = _service(args.service, host)
    if not service.credential:
        raise Refused(why=t("tools.target.lacks", service=service.name, what="credential"))
    words = (args.index, args.user, args.host, args.pid, args.program)
    command = Command.script(_KILL, host.facts.program("cubrid"), target.database(service), *words)
    return command.with_input(StoredSecret(service.credential))


def _error_log(args: ServiceArgs, host: Host) -> Command:
    service = _service(args.service, host)
    return Command.script(_ERROR_LOG, target.logs(service), target.database(service))


def _read_transactions(text: str) -> Findings:
    found = [_transaction(m.groups()) for m in map(_TRANSACTION.match, text.splitlines()) if m]
    if "Tran index" not in text:
        raise ValueError("no list of transactions")
    for one in found:
        one["blocked"] = sum(one["index"] in other["waits_for"] for other in found)
    waiting = [one for one in found if one["waits_for"]]
    roots = [one for one in found if one["blocked"] and not one["waits_for"]]
    roots.sort(key=lambda one: (-one["blocked"], one["index"]))
    return {"transactions": found[:500], "waiting": len(waiting), "roots": roots[:20]}


def _transaction(cells: tuple[str, ...]) -> Findings:
    index, state, user, host, pid, program, query, whole, waits, rest = cells
    sql = "" if "*** empty ***" in rest else rest.strip().partition(" ")[2].strip()
    return {
        "index": int(index),
        "state": state,
        "user": user[:100],
        "host": host[:100],
        "pid": int(pid),
        "program": program[:100],
        "query_seconds": float(query),
        "transaction_seconds": float(whole),
        "waits_for": [] if waits == "-1" else [int(n) for n in waits.split(",")][:200],
        "query": sql[:200] or None,
        "blocked": 0,
    }


def _read_space(text: str) -> Findings:
    volumes = [_volume(m.groups()) for m in map(_VOLUME.match, text.splitlines()) if m]
    if not volumes:
        raise ValueError("no volumes")
    permanent = [v for v in volumes if v["purpose"] == "PERMANENT"] or volumes
    used, total = (sum(v[key] for v in permanent) for key in ("used_bytes", "bytes"))
    return {"percent": round(100 * used / max(total, 1)), "volumes": volumes[:500]}


def _volume(cells: tuple[str, ...]) -> Findings:
    _, kind, purpose, used, used_unit, _, _, total, unit, path = cells
    size, full = float(total) * _SIZES[unit], float(used) * _SIZES[used_unit]
    return {
        "purpose": purpose,
        "type": kind,
        "used_bytes": round(full),
        "bytes": round(size),
        "percent": round(100 * full / max(size, 1)),
        "path": path.strip(),
    }


def _read_errors(text: str) -> Findings:
    first, *lines = text.splitlines()
    errors: list[Findings] = []
    for line in lines:
        found = _ERROR.match(line)
        if found:
            time, level, rest = found.groups()
            code = _CODE.search(rest)
            errors.append(
                {
                    "time": time,
                    "level": level,
                    "code": int(code[1]) if code else None,
                    "text": rest[:500],
                }
            )
        elif errors and line.strip("- "):
            errors[-1]["text"] = line.strip()[:500]
    shown = [e for e in errors if e["level"] != "NOTIFICATION"]
    return {"file": first.removeprefix("file "), "count": len(shown), "errors": shown[-100:]}


def _this(args: TransactionArgs) -> str:
    names = ("index", "user", "host", "pid", "program")
    return " && ".join(f"{name}=={jmespath_literal(getattr(args, name))}" for name in names)


def _check(args: TransactionArgs, expect: str, sentence: str, within: float) -> tuple[Check, ...]:
    call = ToolCall(tool="cubrid.transactions", args={"service": args.service})
    return (Check(call=call, expect=expect, within=within, sentence=sentence),)


def _still_blocking(args: TransactionArgs) -> tuple[Check, ...]:
    sentence = t("tools.cubrid.kill_transaction.precheck", index=args.index)
    return _check(args, f"length(roots[?{_this(args)}]) > `0`", sentence, 0)


def _gone(args: TransactionArgs) -> tuple[Check, ...]:
    sentence = t("tools.cubrid.kill_transaction.verify", index=args.index)
    return _check(args, f"length(roots[?{_this(args)}]) == `0`", sentence, 15)


def _read(name: str, command: Any, reader: Any, findings: type[FindingsModel]) -> Tool[Any]:
    """Declare a read."""
    return Tool(
        name=name,
        risk=Risk.READ,
        args=ServiceArgs,
        command=command,
        parse=stdout_parser(name, reader),
        findings=findings,
        timeout=60.0,
        kinds=KINDS,
        platforms=KINDS,
        requires=("cubrid",),
        manual=MANUAL,
    )


TOOLS: tuple[Tool[Any], ...] = (
    _read(
        "cubrid.transactions",
        lambda args, host: _utility("tranlist", args, host),
        _read_transactions,
        TransactionsFindings,
    ),
    _read(
        "cubrid.space",
        lambda args, host: _utility("spacedb", args, host, "-C", "--size-unit=M"),
        _read_space,
        SpaceFindings,
    ),
    _read("cubrid.error_log", _error_log, _read_errors, ErrorsFindings),
    Tool(
        name="cubrid.kill_transaction",
        risk=Risk.CHANGE,
        args=TransactionArgs,
        command=_kill,
        parse=stdout_parser("cubrid.kill_transaction", success_findings),
        findings=Done,
        precheck=_still_blocking,
        verify=_gone,
        irreversible="tools.cubrid.kill_transaction.irreversible",
        choices=(
            EvidenceChoice(
                "index",
                "cubrid.transactions",
                "roots",
                "index",
                {"user": "user", "host": "host", "pid": "pid", "program": "program"},
            ),
        ),
        timeout=60.0,
        kinds=KINDS,
        platforms=KINDS,
        requires=("cubrid",),
        manual=MANUAL,
    ),
)
