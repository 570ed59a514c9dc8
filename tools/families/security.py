"""Failed logins of a server by source address."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from guardia.board.core.plan import Risk
from guardia.org.directory import Host
from guardia.tools import target
from guardia.tools.command import Command, Script
from guardia.tools.findings import Count, FindingsModel, Word
from guardia.tools.target import service_on
from guardia.tools.tool import Findings, ServiceArgs, Tool, stdout_parser

# Only the end of a line is trusted: the user name before it is attacker-controlled.
_AUTH_FAILURES = Script(
    "security.auth_failures",
    r"""
line='^([A-Z][a-z]{2} +[0-9]+ [0-9:]{8}|[0-9]{4}-[^ ]+) [^ ]+ sshd[^ ]*: Failed [a-z/-]+ for '
for file in "$1/auth.log" "$1/secure"; do
  if [ -f "$file" ] && [ ! -L "$file" ]; then
    tail -c 4194304 -- "$file" |
      { grep -aE "$line" || true; } |
      { grep -aoE ' from [0-9A-Fa-f.:]+ port [0-9]+( ssh2)?$' || true; } |
      while read -r _ address _; do printf '%s\n' "$address"; done |
      sort | uniq -c | sort -k 1,1nr -k 2 | head -n 1000 || true
    exit 0
  fi
done
echo "no auth.log" >&2
exit 3
""",
)

_MAX_SOURCES = 20


class FailureSource(FindingsModel):
    """An address and its failed logins."""

    address: Word
    count: Count


class FailureFindings(FindingsModel):
    """Failed logins, and the addresses with the most of them."""

    failures: Count
    sources: Annotated[list[FailureSource], Field(max_length=_MAX_SOURCES)]


def _auth_failures(args: ServiceArgs, host: Host) -> Command:
    folder = target.logs(service_on(host, args.service, ("authlog",)))
    return Command.script(_AUTH_FAILURES, folder)


def _read_failures(text: str) -> Findings:
    rows = [line.split() for line in text.splitlines()]
    sources = [{"address": address, "count": int(count)} for count, address in rows]
    return {"failures": sum(int(count) for count, _ in rows), "sources": sources[:_MAX_SOURCES]}


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="security.auth_failures",
        risk=Risk.READ,
        args=ServiceArgs,
        command=_auth_failures,
        parse=stdout_parser("security.auth_failures", _read_failures),
        findings=FailureFindings,
    ),
)
