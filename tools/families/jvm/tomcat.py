"""Tomcat: deployed applications, the log of its last start, and a restart by its own script."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field

from guardia.board.core.plan import Risk
from guardia.errors import Refused
from guardia.i18n import t
from guardia.org.directory import Host, Service
from guardia.tools import target
from guardia.tools.command import Command, Script
from guardia.tools.families.journal import JOURNAL, journal_right
from guardia.tools.families.jvm.dump import JAVA_PID
from guardia.tools.families.service import healthy_checks
from guardia.tools.families.service_restart import START_TIMEOUT
from guardia.tools.families.service_shell import (
    CONTROL,
    LISTENER,
    REQUEST,
    SERVICE_PIDS,
    UNIT_PIDS,
)
from guardia.tools.findings import Count, Done, FilePath, FindingsModel, Line, Moment, Word
from guardia.tools.privilege import AS_ROOT, privileged_script
from guardia.tools.target import HTTP_KINDS, service_on
from guardia.tools.tool import Findings, Right, ServiceArgs, Tool, stdout_parser, success_findings

_MAX_APPLICATIONS = 200
_LINES = 5000

_APPLICATIONS = Script(
    "tomcat.applications",
    r"""
root=$1
if [ ! -d "$root/webapps" ]; then echo "no folder webapps in $root" >&2; exit 3; fi
for one in "$root"/webapps/*; do
  if [ -e "$one" ]; then
    kind=other
    if [ -d "$one" ]; then kind=folder; else case $one in *.war) kind=war ;; esac; fi
    printf '%s %s %s\n' "$kind" "$(stat -c '%Y %s' -- "$one")" "$one"
  fi
done
for one in "$root"/conf/Catalina/*/*.xml; do
  if [ -f "$one" ]; then printf 'context %s %s\n' "$(stat -c '%Y %s' -- "$one")" "$one"; fi
done
""",
)

_STARTUP = Script(
    "tomcat.startup",
    AS_ROOT
    + JOURNAL
    + r"""
unit=$1 journalctl=$2 lines=$3 folder=$4
found=
for file in "$folder/catalina.out" "$folder/catalina.$(date +%Y-%m-%d).log"; do
  if [ -z "$found" ] && [ -r "$file" ]; then found=$(tail -c 800000 "$file" | tr -d '\0'); fi
done
if [ -z "$found" ] && [ -n "$unit" ]; then
  found=$(journal "$journalctl" cat "$lines" "$unit")
fi
if [ -z "$found" ]; then
  echo "no log of Tomcat can be read in $folder${unit:+ or in the journal}" >&2; exit 3
fi
printf '%s\n' "$found"
""",
)

# As `catalina.sh` does it, for a Tomcat of the account itself: stop, wait, end what does not stop
# (only Java processes of this folder), start.
_RESTART = Script(
    "tomcat.restart",
    SERVICE_PIDS
    + UNIT_PIDS
    + JAVA_PID
    + LISTENER
    + REQUEST
    + CONTROL
    + r"""
root=$1 port=$2 path=$3 scheme=$4 limit=$5 listen=${6:-}
unit= systemctl=
control=$root/bin/catalina.sh
ours() {
  local pid
  for pid in $(pgrep -x java || true) $(pgrep -x jsvc || true); do
    case $(tr '\0' ' ' < "/proc/$pid/cmdline" 2>/dev/null) in
      *"-Dcatalina.base=$root "*|*"-Dcatalina.home=$root "*) printf '%s ' "$pid" ;;
    esac
  done
}
gone() {
  local end=$((SECONDS + $1))
  while [ -n "$(ours)" ]; do
    if [ "$SECONDS" -ge "$end" ]; then return 1; fi
    sleep 0.3
  done
}
if [ ! -x "$control" ]; then echo "no $control" >&2; exit 3; fi
if [ -n "$(ours)" ]; then
  # A hung Tomcat does not take its shutdown command.
  timeout -k 2 20 "$control" stop </dev/null >&2 || true
  gone 20 || { kill $(ours) 2>/dev/null || true; }
  gone 10 || { kill -KILL $(ours) 2>/dev/null || true; }
  gone 10 || { echo "Tomcat still runs: $(ours)" >&2; exit 3; }
fi
run_control start
""",
)


class Application(FindingsModel):
    """A deployed application or a context file."""

    name: Word
    kind: Word
    path: FilePath
    bytes: Count
    modified: Moment
    unpacked: bool
    """Whether the folder of a WAR is there, as after a deployment."""


class ApplicationsFindings(FindingsModel):
    """Applications in `webapps`, and contexts in `conf`."""

    applications: Annotated[list[Application], Field(max_length=_MAX_APPLICATIONS)]


class StartupFindings(FindingsModel):
    """The last start in the log."""

    started: bool
    milliseconds: Count | None
    version: Word | None
    deployed: Annotated[list[Line], Field(max_length=100)]
    failed: Annotated[list[Word], Field(max_length=100)]
    """Contexts whose start failed."""
    errors: Annotated[list[Line], Field(max_length=30)]
    port_in_use: bool
    out_of_memory: bool


def _home(service: Service) -> str:
    if service.product.lower() not in ("tomcat", "tomee"):
        raise Refused(
            why=t(
                "tools.tomcat.wrong_product", service=service.name, product=service.product or "-"
            )
        )
    return target.root(service)


def _applications(args: ServiceArgs, host: Host) -> Command:
    return Command.script(_APPLICATIONS, _home(service_on(host, args.service, HTTP_KINDS)))


def _read_applications(text: str) -> Findings:
    rows = [line.split(" ", 3) for line in text.splitlines() if line]
    folders = {path for kind, _, _, path in rows if kind == "folder"}
    return {
        "applications": [
            {
                "name": path.rsplit("/", 1)[1][:100],
                "kind": kind,
                "path": path,
                "bytes": int(size),
                "modified": datetime.fromtimestamp(int(at), UTC).isoformat(),
                "unpacked": kind == "war" and path.removesuffix(".war") in folders,
            }
            for kind, at, size, path in rows[:_MAX_APPLICATIONS]
        ]
    }


def _startup(args: ServiceArgs, host: Host) -> Command:
    service = service_on(host, args.service, HTTP_KINDS)
    root = _home(service)
    unit = target.unit(host, service) if target.is_systemd(host, service) else ""
    folder = target.logs(service) if service.logs else f"{root}/logs"
    return privileged_script(host, _STARTUP, unit, host.facts.program("journalctl"), _LINES, folder)


def _rights(host: Host, service: Service | None) -> tuple[Right, ...]:
    if service is None or not target.is_systemd(host, service):
        return ()
    return (journal_right(host, service, "cat", _LINES),)


_BEGIN = re.compile(r"Server version name: +(\S.*)|Server version: +(\S.*)")
_STARTED = re.compile(r"Server startup in \[?([\d,.]+)\]? ?(?:ms|milliseconds)")
_DEPLOYED = re.compile(r"Deployment of (.+? \[.+?\]) has finished in \[([\d,.]+)\] ms")
_FAILED = re.compile(r"Context \[(.*?)\] startup failed|startup failed.*?[Cc]ontext \[(.*?)\]")
_ERROR = re.compile(r"\b(?:SEVERE|심각|ERROR|FATAL)\b|^Caused by:|^java\.lang\.OutOfMemoryError")


def _read_startup(text: str) -> Findings:
    lines = text.splitlines()
    begin = max((n for n, line in enumerate(lines) if _BEGIN.search(line)), default=0)
    last = lines[begin:]
    version = _BEGIN.search(last[0]) if last else None
    ready = next((m for line in reversed(last) if (m := _STARTED.search(line))), None)
    errors = [line[:500] for line in last if _ERROR.search(line)]
    failed = [m[1] or m[2] or "/" for line in last if (m := _FAILED.search(line))]
    return {
        "started": ready is not None,
        "milliseconds": int(re.sub(r"[,.]", "", ready[1])) if ready else None,
        "version": (version[1] or version[2])[:100] if version else None,
        "deployed": [f"{m[1]} ({m[2]} ms)"[:500] for line in last if (m := _DEPLOYED.search(line))][
            :100
        ],
        "failed": [name[:100] or "/" for name in dict.fromkeys(failed)][:100],
        "errors": errors[-30:],
        "port_in_use": any("Address already in use" in line for line in last),
        "out_of_memory": any("OutOfMemoryError" in line for line in last),
    }


def _restart(args: ServiceArgs, host: Host) -> Command:
    service = service_on(host, args.service, HTTP_KINDS)
    root = _home(service)
    if service.control or target.is_systemd(host, service):
        # Its own way of starting sets the options of the machine, which would be lost.
        raise Refused(why=t("tools.tomcat.by_unit", service=service.name))
    listen = target.address(service)
    return Command.script(
        _RESTART,
        root,
        target.port(service),
        target.health(service),
        "tls" if service.kind == "tls" else "plain",
        service.start_seconds,
        *((listen,) if listen else ()),
    ).leaving_children()


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="tomcat.applications",
        risk=Risk.READ,
        args=ServiceArgs,
        command=_applications,
        parse=stdout_parser("tomcat.applications", _read_applications),
        findings=ApplicationsFindings,
        kinds=HTTP_KINDS,
        tried_on=("debian-12",),
        platforms=("tomcat",),
    ),
    Tool(
        name="tomcat.startup",
        risk=Risk.READ,
        args=ServiceArgs,
        command=_startup,
        parse=stdout_parser("tomcat.startup", _read_startup),
        findings=StartupFindings,
        kinds=HTTP_KINDS,
        tried_on=("debian-12",),
        platforms=("tomcat",),
        rights=_rights,
    ),
    Tool(
        name="tomcat.restart",
        risk=Risk.CHANGE,
        args=ServiceArgs,
        command=_restart,
        parse=stdout_parser("tomcat.restart", success_findings),
        findings=Done,
        verify=lambda args: healthy_checks(
            args.service, 60, t("tools.tomcat.restart.verify", service=args.service)
        ),
        irreversible="tools.tomcat.restart.irreversible",
        kinds=HTTP_KINDS,
        tried_on=("debian-12-sysvinit",),
        platforms=("tomcat", "script"),
        requires=("pgrep",),
        timeout=START_TIMEOUT,
    ),
)
