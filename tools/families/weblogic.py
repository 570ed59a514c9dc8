"""WebLogic: managed servers of a domain, by the scripts and state files in its folder."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import StringConstraints

from guardia.tools.command import Script
from guardia.tools.families.vendor_servers import ServerArgs, Vendor
from guardia.tools.tool import Findings, Tool

# Node Manager keeps the state of each server in a file; a server that was started without it is
# found by its process, which names itself with `-Dweblogic.Name=`.
_SERVERS = Script(
    "weblogic.servers",
    r"""
root=$1
if [ ! -d "$root/servers" ]; then echo "no folder servers in $root" >&2; exit 3; fi
running=$(ps -ww -e -o pid=,args= | sed -n 's/^ *\([0-9]*\) .*-Dweblogic\.Name=\([^ ]*\).*/\1 \2/p')
for folder in "$root"/servers/*/; do
  name=${folder%/}
  name=${name##*/}
  case $name in domain_bak|AdminServerBak) continue ;; esac
  state=-
  file=$folder/data/nodemanager/$name.state
  if [ -r "$file" ]; then state=$(head -c 100 -- "$file" | tr -d '\n\r'); fi
  pid=$(printf '%s\n' "$running" | awk -v name="$name" '$2 == name { print $1; exit }')
  printf '%s %s %s\n' "$name" "${state:--}" "${pid:--}"
done
""",
)

# The script does not end while the server runs, so it is left behind; its identity comes from
# `boot.properties`.
_START = Script(
    "weblogic.start",
    r"""
root=$1 server=$2 limit=$3 url=$4
script=$root/bin/startManagedWebLogic.sh
if [ ! -x "$script" ]; then echo "no $script" >&2; exit 3; fi
log=$root/servers/$server/logs/$server.out
mkdir -p -- "${log%/*}"
touch -- "$log"
begin=$(($(wc -c < "$log") + 1))
nohup setsid "$script" "$server" "$url" </dev/null >>"$log" 2>&1 &
starting=$!
end=$((SECONDS + limit))
while [ "$SECONDS" -lt "$end" ]; do
  # Only what this start has logged counts.
  state=$(tail -c "+$begin" "$log" | grep -c 'Server state changed to RUNNING' || true)
  if [ "$state" != 0 ]; then exit 0; fi
  if ! kill -0 "$starting" 2>/dev/null; then
    echo "$server did not start:" >&2
    tail -n 5 -- "$log" >&2
    exit 1
  fi
  sleep 1
done
echo "$server is not running after $limit seconds" >&2
exit 1
""",
)

_STOP = Script(
    "weblogic.stop",
    r"""
root=$1 server=$2 limit=$3 url=$4
script=$root/bin/stopManagedWebLogic.sh
if [ ! -x "$script" ]; then echo "no $script" >&2; exit 3; fi
timeout -k 5 "$limit" "$script" "$server" "$url" </dev/null >&2
""",
)


class ManagedArgs(ServerArgs):
    """A managed server, and the address of its administration server."""

    admin_url: Annotated[
        str, StringConstraints(pattern=r"^(t3|t3s|http|https)://[A-Za-z0-9.-]{1,200}:\d{1,5}$")
    ]


def _read_servers(text: str) -> Findings:
    servers = []
    for line in text.splitlines():
        name, written, pid = line.split()
        number = int(pid) if pid.isdecimal() else None
        state = written.split(":")[0] if written != "-" else ("RUNNING" if number else "UNKNOWN")
        # A state file outlives a server that was killed.
        running = state == "RUNNING" and number is not None
        servers.append({"name": name[:100], "state": state, "running": running, "pid": number})
    return {"servers": servers}


WEBLOGIC = Vendor(
    family="weblogic",
    products=("weblogic",),
    manual="Oracle Fusion Middleware, Administering Server Startup and Shutdown for Oracle "
    "WebLogic Server 12c (12.2.1.4) E90833; Administering Node Manager",
    list_servers=_SERVERS,
    read_servers=_read_servers,
    scripts={"start": _START, "stop": _STOP},
    args=ManagedArgs,
    further=("admin_url",),
)

TOOLS: tuple[Tool[Any], ...] = WEBLOGIC.tools()
