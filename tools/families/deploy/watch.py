"""Watch a service for a while after a change: errors, response times, and what it answers."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from guardia.board.core.plan import Risk
from guardia.org.directory import Host
from guardia.tools import target
from guardia.tools.command import Command, Script
from guardia.tools.families.service_shell import LISTENER, REQUEST
from guardia.tools.findings import Count, FindingsModel, Share
from guardia.tools.target import HTTP_KINDS, service_on
from guardia.tools.tool import Findings, ServiceArgs, Tool, stdout_parser

_ANSWER_SECONDS = 5
_MOST_SECONDS = 300

# One line for each request: status, milliseconds, and whether the body has the text.
_WATCH = Script(
    "deploy.watch",
    LISTENER
    + REQUEST
    + r"""
port=$1 path=$2 scheme=$3 seconds=$4 limit=$5 listen=$6 want=$7
end=$((SECONDS + seconds))
while :; do
  began=$(date +%s%N) answer=
  if address=$(listener "$port" "$listen"); then
    answer=$(ask "$scheme" "$address" "$port" "$path" "$limit")
  fi
  took=$((($(date +%s%N) - began) / 1000000))
  status=${answer#*HTTP/}
  case $answer in *HTTP/*) status=${status#* }; status=${status:0:3} ;; *) status=0 ;; esac
  case $answer in *"$want"*) found=1 ;; *) found=0 ;; esac
  printf '%s %s %s\n' "$status" "$took" "$found"
  # Once in any case: the shell counts whole seconds, and one may be over at once.
  [ "$SECONDS" -lt "$end" ] || break
  sleep 0.5
done
""",
)


class WatchArgs(ServiceArgs):
    """How long to watch, and a text that every answer must contain."""

    seconds: Annotated[int, Field(ge=1, le=_MOST_SECONDS)]
    body: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{0,100}$")] = ""


class WatchFindings(FindingsModel):
    """What was measured."""

    requests: Count
    failed: Count
    """Requests without an answer, with another status than 2xx or 3xx, or without the text."""
    failed_percent: Share
    """Rounded up: one failure of a thousand counts as 1%."""
    p95_milliseconds: Count
    slowest_milliseconds: Count


def _watch(args: WatchArgs, host: Host) -> Command:
    service = service_on(host, args.service, HTTP_KINDS)
    scheme = "tls" if service.kind == "tls" else "plain"
    where = (target.port(service), target.health(service), scheme)
    values = (args.seconds, _ANSWER_SECONDS, target.address(service), args.body)
    return Command.script(_WATCH, *where, *values)


def _read(text: str) -> Findings:
    rows = [tuple(map(int, line.split())) for line in text.splitlines()]
    failed = sum(not (200 <= status < 400 and found) for status, _, found in rows)
    times = sorted(took for _, took, _ in rows)
    return {
        "requests": len(rows),
        "failed": failed,
        "failed_percent": math.ceil(100 * failed / len(rows)) if rows else 0,
        "p95_milliseconds": times[math.ceil(0.95 * len(times)) - 1] if times else 0,
        "slowest_milliseconds": times[-1] if times else 0,
    }


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="deploy.watch",
        risk=Risk.READ,
        args=WatchArgs,
        command=_watch,
        parse=stdout_parser("deploy.watch", _read),
        findings=WatchFindings,
        timeout=_MOST_SECONDS + 60.0,
        kinds=HTTP_KINDS,
        tried_on=("fleet",),
    ),
)
