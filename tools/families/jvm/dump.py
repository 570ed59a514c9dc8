"""Threads and heap of a Java virtual machine, from one thread dump.

A dump needs no development kit: the machine prints it to its log on SIGQUIT, as `kill -3` does.
systemd sends the signal by an exact command; `jcmd` is used where it is there and the process is
the account's own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints

from guardia.board.core.plan import Risk
from guardia.org.directory import Host, Service
from guardia.tools import target
from guardia.tools.command import Command, Script
from guardia.tools.families.journal import JOURNAL, journal_right
from guardia.tools.families.service_shell import SERVICE_PIDS, UNIT_PIDS
from guardia.tools.findings import Count, FindingsModel, Line, Share, Word
from guardia.tools.privilege import AS_ROOT, privileged_script
from guardia.tools.target import HTTP_KINDS, service_on
from guardia.tools.tool import Findings, Right, ServiceArgs, Tool, stdout_parser

_LINES = 20_000
_MAX_THREADS = 20
_FRAMES = 12

JAVA_PID: Final = r"""
java_pid() {
  local pid pids first=
  if [ -n "$unit" ]; then pids=$(unit_pids "$unit" "$systemctl")
  else pids=$(service_pids "$root" "$port"); pids=$(with_children "$pids"); fi
  for pid in $pids; do
    case $(tr '\0' ' ' < "/proc/$pid/cmdline" 2>/dev/null | sed 's/ .*//') in
      java|*/java|jsvc|*/jsvc) first=$pid ;;
    esac
  done
  if [ -z "$first" ]; then echo "no Java process runs for this service" >&2; exit 3; fi
  printf '%s' "$first"
}
"""

# The dump is the last one in the log: it begins with `Full thread dump`.
_DUMP = Script(
    "jvm.dump",
    AS_ROOT
    + JOURNAL
    + SERVICE_PIDS
    + UNIT_PIDS
    + JAVA_PID
    + r"""
unit=$1 root=$2 port=$3 systemctl=$4 journalctl=$5 lines=$6 jcmd=$7 log=$8
pid=$(java_pid)
echo "pid $pid"
options=$(tr '\0' '\n' < "/proc/$pid/cmdline" | grep -E '^-(Xmx|Xms|XX:MaxRAM)' || true)
echo "options ${options//$'\n'/ }"
grep -E '^(VmRSS|Threads):' "/proc/$pid/status" || true
own=0
if [ "$(id -u)" = 0 ] || [ "$(stat -c %u "/proc/$pid")" = "$(id -u)" ]; then own=1; fi
if [ "$own" = 1 ] && command -v "$jcmd" >/dev/null; then
  dump=$(timeout -k 2 20 "$jcmd" "$pid" Thread.print -l || true)
  case $dump in *'Full thread dump'*)
    printf 'dump\n%s\n' "$dump"
    timeout -k 2 10 "$jcmd" "$pid" GC.heap_info || true
    exit 0 ;;
  esac
fi
logged() {
  if [ -n "$log" ]; then tail -c 900000 "$log" 2>/dev/null || true; return; fi
  journal "$journalctl" cat "$lines" "$unit"
}
dumps() { printf '%s\n' "$1" | grep -c '^Full thread dump' || true; }
newest() {
  printf '%s\n' "$1" | awk '
    /^Full thread dump/ { kept = "" }
    { kept = kept $0 "\n" }
    END { printf "%s", kept }'
}
# The console may go to any file; the process itself shows which.
if [ "$own" = 1 ] && out=$(readlink "/proc/$pid/fd/1") && [ -f "$out" ]; then log=$out; fi
before=$(dumps "$(logged)")
if [ "$own" = 1 ]; then kill -QUIT "$pid"
else as_root "$systemctl" kill --signal=QUIT "$unit" >&2; fi
tries=0
while [ "$tries" -lt 20 ]; do
  sleep 0.5
  tries=$((tries + 1))
  text=$(logged)
  if [ "$(dumps "$text")" != "$before" ]; then
    dump=$(newest "$text")
    # The heap comes last.
    case $dump in *' Metaspace '*|*'class space '*) printf 'dump\n%s\n' "$dump"; exit 0 ;; esac
  fi
done
echo "the log does not show a thread dump of process $pid" >&2
exit 3
""",
)


class ThreadFindings(FindingsModel):
    """A thread that waits for a lock or runs, with the top of its stack."""

    name: Word
    state: Word
    waits_for: Line | None
    holder: Word | None
    stack: Annotated[list[Line], Field(max_length=_FRAMES)]


class StateCount(FindingsModel):
    """Threads in one state."""

    state: Word
    count: Count


class HotFrame(FindingsModel):
    """Where many threads are at the same time."""

    frame: Line
    count: Count


class ThreadsFindings(FindingsModel):
    """Threads by state, deadlocks, who holds what others wait for, and where most threads are."""

    pid: Count
    threads: Count
    states: Annotated[list[StateCount], Field(max_length=20)]
    deadlocked: Annotated[list[Word], Field(max_length=100)]
    blocked: Annotated[list[ThreadFindings], Field(max_length=_MAX_THREADS)]
    holders: Annotated[list[StateCount], Field(max_length=_MAX_THREADS)]
    """Threads for which others wait, with the number of those."""
    hot: Annotated[list[HotFrame], Field(max_length=_MAX_THREADS)]
    busy_requests: Count
    """Request threads that are inside of the application."""
    idle_requests: Count


class HeapFindings(FindingsModel):
    """The heap of the collector, and the process's memory."""

    pid: Count
    used_kb: Count
    committed_kb: Count
    max_kb: Count | None
    percent: Share | None
    """Of the maximum in use; without a maximum, of what is committed."""
    metaspace_kb: Count | None
    resident_kb: Count | None
    options: Annotated[str, StringConstraints(max_length=500)]


def _dump(args: ServiceArgs, host: Host) -> Command:
    service = service_on(host, args.service, HTTP_KINDS)
    unit = target.unit(host, service) if target.is_systemd(host, service) else ""
    return privileged_script(
        host,
        _DUMP,
        unit,
        target.root(service) if service.root else "",
        service.port or 0,
        *map(host.facts.program, ("systemctl", "journalctl")),
        _LINES,
        host.facts.program("jcmd"),
        _console_log(service, unit),
    )


def _console_log(service: Service, unit: str) -> str:
    """Return the file to which the machine writes its console; empty: the journal."""
    named = next((path for path in service.log_files if path.endswith(".out")), "")
    if named or unit:
        return named
    return f"{target.logs(service)}/catalina.out" if service.logs else ""


def _rights(host: Host, service: Service | None) -> tuple[Right, ...]:
    if service is None or not target.is_systemd(host, service):
        return ()
    unit = target.unit(host, service)
    signal = (host.facts.program("systemctl"), "kill", "--signal=QUIT", unit)
    return (signal, journal_right(host, service, "cat", _LINES))


@dataclass(frozen=True)
class _Thread:
    name: str
    state: str
    stack: tuple[str, ...]
    waits_for: str | None
    holds: frozenset[str]


_AFTER_THREADS = re.compile(r"^(?:Found (?:one|a total)|JNI global ref)", re.MULTILINE)
_HEADER = re.compile(r'^"(?P<name>.*?)"(?: |$)')
_STATE = re.compile(r"\s+java\.lang\.Thread\.State: (\w+)")
_LOCK = re.compile(
    r"- (waiting to lock|locked|parking to wait for) +<(0x[0-9a-f]+)> \((?:a )?(.*?)\)"
)
_REQUEST = re.compile(r"(?:https?|ajp)-(?:nio2?|bio|apr)-.*exec-|http-listener|ExecuteThread|-w\d+")
_IDLE = re.compile(
    r"(?:TaskQueue|LinkedBlockingQueue|LinkedTransferQueue|SynchronousQueue)\.(?:take|poll)"
    r"|ExecuteThread\.waitForRequest|WorkerThread.*wait"
)


def _threads(dump: str) -> list[_Thread]:
    # The report on deadlocks repeats threads; it comes after all of them.
    body = _AFTER_THREADS.split(dump, maxsplit=1)[0]
    blocks = re.split(r"\n(?=\")", "\n" + body)
    return [thread for block in blocks if (thread := _thread(block.lstrip("\n")))]


def _thread(block: str) -> _Thread | None:
    header, state = _HEADER.match(block), _STATE.search(block)
    if not header or not state:
        return None  # a thread of the machine itself
    locks = _LOCK.findall(block)
    waits = next((f"{lock} {kind}" for how, lock, kind in locks if how == "waiting to lock"), None)
    held = frozenset(lock for how, lock, _ in locks if how == "locked")
    frames = tuple(re.findall(r"^\s+at (.+)$", block, re.MULTILINE))
    return _Thread(header["name"][:100], state[1], frames, waits, held)


def _read_threads(text: str) -> Findings:
    facts, dump = _split(text)
    threads = _threads(dump)
    states = Counter(thread.state for thread in threads)
    holder = {lock: thread.name for thread in threads for lock in thread.holds}
    blocked = [thread for thread in threads if thread.waits_for]
    waited = Counter(
        holder[lock] for thread in blocked if (lock := str(thread.waits_for).split()[0]) in holder
    )
    requests = [thread for thread in threads if _REQUEST.search(thread.name)]
    idle = [thread for thread in requests if _IDLE.search("\n".join(thread.stack[:8]))]
    top = Counter(frame for thread in threads if (frame := _own_frame(thread)))
    return {
        "pid": int(facts["pid"]),
        "threads": int(facts.get("Threads:", len(threads))),
        "states": [{"state": s, "count": n} for s, n in states.most_common()],
        "deadlocked": list(_deadlocked(dump))[:100],
        "blocked": [_shown(thread, holder) for thread in blocked[:_MAX_THREADS]],
        "holders": [{"state": n, "count": c} for n, c in waited.most_common(_MAX_THREADS)],
        "hot": [{"frame": f[:300], "count": c} for f, c in top.most_common(5)],
        "busy_requests": len(requests) - len(idle),
        "idle_requests": len(idle),
    }


def _own_frame(thread: _Thread) -> str | None:
    """Return the first frame of the application itself."""
    return next((frame for frame in thread.stack if not frame.startswith(_LIBRARIES)), None)


def _split(text: str) -> tuple[dict[str, str], str]:
    head, _, dump = text.partition("\ndump\n")
    return {name: rest.strip() for name, _, rest in (r.partition(" ") for r in _rows(head))}, dump


def _rows(head: str) -> list[str]:
    return [row.replace("\t", " ") for row in head.splitlines()]


def _deadlocked(dump: str) -> Iterator[str]:
    """Return the names of the threads in the report on deadlocks."""
    found = dump.partition("Java-level deadlock")[2]
    report = found.partition("Java stack information")[0]
    seen = re.findall(r'^"(.+?)":$', report, re.MULTILINE)
    return (name[:100] for name in dict.fromkeys(seen))


def _shown(thread: _Thread, holder: dict[str, str]) -> Findings:
    lock = str(thread.waits_for).split()[0]
    return {
        "name": thread.name,
        "state": thread.state,
        "waits_for": thread.waits_for,
        "holder": holder.get(lock),
        "stack": [frame[:300] for frame in thread.stack[:_FRAMES]],
    }


_LIBRARIES = (
    "java.",
    "javax.",
    "jakarta.",
    "jdk.",
    "sun.",
    "com.sun.",
    "org.apache.catalina.",
    "org.apache.coyote.",
    "org.apache.tomcat.",
    "jeus.",
    "weblogic.",
)
_SIZES = {"K": 1, "M": 1024, "G": 1024**2}
_GENERATION = re.compile(
    r"^ *(?:[\w -]*(?:heap|generation)|PSYoungGen|ParOldGen) +"
    r"total (?:reserved \d+K, committed )?(\d+)K, used (\d+)K",
    re.MULTILINE,
)
_Z = re.compile(r"ZHeap +used (\d+)([KMG]), capacity (\d+)([KMG]), max capacity (\d+)([KMG])")
_METASPACE = re.compile(r"^ *Metaspace +used (\d+)K", re.MULTILINE)
_XMX = re.compile(r"-Xmx(\d+)([kKmMgG]?)")


def _read_heap(text: str) -> Findings:
    facts, dump = _split(text)
    used, committed, most = _heap(dump, facts.get("options", ""))
    metaspace = _METASPACE.search(dump)
    resident = facts.get("VmRSS:", "").removesuffix("kB").strip()
    return {
        "pid": int(facts["pid"]),
        "used_kb": used,
        "committed_kb": committed,
        "max_kb": most,
        "percent": round(100 * used / (most or committed)) if most or committed else None,
        "metaspace_kb": int(metaspace[1]) if metaspace else None,
        "resident_kb": int(resident) if resident.isdecimal() else None,
        "options": facts.get("options", "")[:500],
    }


def _heap(dump: str, options: str) -> tuple[int, int, int | None]:
    """Return what is used, committed, and the maximum, in KB."""
    if z := _Z.search(dump):
        sizes = [int(z[n]) * _SIZES[z[n + 1]] for n in (1, 3, 5)]
        return sizes[0], sizes[1], sizes[2]
    rows = _GENERATION.findall(dump)
    if not rows:
        raise ValueError("no heap in the dump")
    given = _XMX.search(options)
    most = int(given[1]) * _SIZES.get(given[2].upper(), 0) if given else None
    if given and not given[2]:
        most = int(given[1]) // 1024
    return sum(int(used) for _, used in rows), sum(int(total) for total, _ in rows), most


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="jvm.threads",
        risk=Risk.READ,
        args=ServiceArgs,
        command=_dump,
        parse=stdout_parser("jvm.threads", _read_threads),
        findings=ThreadsFindings,
        kinds=HTTP_KINDS,
        tried_on=("debian-12",),
        platforms=("tomcat", "jeus", "weblogic", "java"),
        rights=_rights,
        timeout=60.0,
    ),
    Tool(
        name="jvm.heap",
        risk=Risk.READ,
        args=ServiceArgs,
        command=_dump,
        parse=stdout_parser("jvm.heap", _read_heap),
        findings=HeapFindings,
        kinds=HTTP_KINDS,
        tried_on=("debian-12",),
        platforms=("tomcat", "jeus", "weblogic", "java"),
        rights=_rights,
        timeout=60.0,
    ),
)
