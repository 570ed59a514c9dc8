"""Shell functions that find a service on its server: one way for the scripts of all families."""

from __future__ import annotations

from typing import Final

# A process younger than the file that names it only inherited the number.
SERVICE_PIDS: Final = r"""
service_pids() {
  local root=$1 port=$2 pids= file pid age now hex inodes
  now=$(date +%s)
  for file in "${root:-/nonexistent}"/run/*.pid; do
    [ -f "$file" ] || continue
    pid=
    read -r pid _ < "$file" || true
    case $pid in ''|*[!0-9]*) continue ;; esac
    age=$(ps -o etimes= -p "$pid" || true)
    if [ -n "$age" ] && [ $((now - age)) -le $(($(stat -c %Y -- "$file") + 5)) ]; then
      pids="$pids $pid"
    fi
  done
  if [ -z "$pids" ] && [ "$port" != 0 ]; then
    hex=$(printf '%04X' "$port")
    inodes=$(grep -hsE "^ *[0-9]+: [0-9A-F]+:$hex [0-9A-F]+:0000 0A " /proc/net/tcp /proc/net/tcp6 |
      while read -r _ _ _ _ _ _ _ _ _ inode _; do printf ' %s ' "$inode"; done || true)
    pids=$({ ls -l /proc/[0-9]*/fd 2>/dev/null || true; } | while read -r line; do
      case $line in
        /proc/*/fd:) owner=${line#/proc/}; owner=${owner%/fd:} ;;
        *'socket:['*']') inode=${line##*socket:[}; inode=${inode%]}
          case $inodes in *" $inode "*) printf ' %s' "$owner" ;; esac ;;
      esac
    done)
  fi
  # Files of another account's processes cannot be seen, but their command lines can.
  if [ -z "${pids// /}" ] && [ -n "$root" ]; then
    pids=$(ps -ww -e -o pid=,uid=,args= | ROOT=$root ME=$(id -u) awk '
      $2 != ENVIRON["ME"] && index($0 " ", ENVIRON["ROOT"] "/") { print $1; next }
      $2 != ENVIRON["ME"] && index($0 " ", ENVIRON["ROOT"] " ") { print $1 }' | tr '\n' ' ')
  fi
  printf '%s' "$pids"
}
with_children() {
  local family=" $1 " table grown=1 pid word
  table=$(ps -e -o pid=,ppid=)
  while [ "$grown" = 1 ]; do
    grown=0 pid=
    for word in $table; do
      if [ -z "$pid" ]; then pid=$word; continue; fi
      case $family in *" $word "*)
        case $family in *" $pid "*) ;; *) family="$family$pid "; grown=1 ;; esac ;;
      esac
      pid=
    done
  done
  printf '%s' "$family"
}
"""

# Processes of a systemd unit: those of its control group, in any version of the hierarchy.
UNIT_PIDS: Final = r"""
unit_pids() {
  local group base main pids=
  group=$("$2" show --property=ControlGroup --value -- "$1")
  for base in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
    if [ -z "$pids" ] && [ -n "${group#/}" ] && [ -d "$base$group" ]; then
      pids=$(find "$base$group" -name cgroup.procs -exec cat {} + 2>/dev/null | tr '\n' ' ' || true)
    fi
  done
  if [ -z "${pids// /}" ]; then
    main=$("$2" show --property=MainPID --value -- "$1")
    if [ "${main:-0}" != 0 ]; then pids=$(with_children "$main"); fi
  fi
  printf '%s' "$pids"
}
"""

# The listening sockets show whether the port is open, not a connection: the queue of a stopped
# process fills up with probes, and then its open port would look closed. Only a socket of all IPv6
# addresses does not show whether it takes IPv4 as well.
LISTENER: Final = r"""
listener() {
  local hex found wanted=${2:-}
  hex=$(printf '%04X' "$1")
  found=$(grep -hsoE "^ *[0-9]+: [0-9A-F]+:$hex [0-9A-F]+:0000 0A " /proc/net/tcp /proc/net/tcp6 |
    while read -r _ socket _; do printf '%s\n' "${socket%:*}"; done | sort -u || true)
  if [ -z "$found" ]; then return 1; fi
  if [ -n "$wanted" ]; then
    listens_at "$wanted" "$found" && echo "$wanted"
    return
  fi
  case $found in
    00000000|00000000$'\n'*) echo 127.0.0.1 ;;
    *00000000000000000000000000000000*)
      if takes_ipv4 "$1"; then echo 127.0.0.1; else echo ::1; fi ;;
    *) readable "${found%%$'\n'*}" ;;
  esac
}
listens_at() {
  local a b c d mine
  case $1 in *:*) return 0 ;; esac
  IFS=. read -r a b c d < <(printf '%s\n' "$1")
  mine=$(printf '%02X%02X%02X%02X' "$d" "$c" "$b" "$a")
  case $'\n'$2$'\n' in
    *$'\n'"$mine"$'\n'*|*$'\n'00000000$'\n'*|*00000000000000000000000000000000*) ;;
    *FFFF0000"$mine"*) ;;
    *) return 1 ;;
  esac
}
takes_ipv4() {
  local status=0
  grep -qs '^00000000000000000000000000000001 ' /proc/net/if_inet6 || return 0
  timeout 1 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0"' "$1" 2>/dev/null || status=$?
  [ "$status" = 0 ] || [ "$status" = 124 ]
}
readable() {
  local address=$1 word out=
  case $address in
    ????????) printf '%d.%d.%d.%d\n' \
      $((16#${address:6:2})) $((16#${address:4:2})) $((16#${address:2:2})) $((16#${address:0:2})) ;;
    0000000000000000FFFF0000????????) readable "${address:24}" ;;
    *) while [ -n "$address" ]; do
        word=${address:0:8} address=${address:8}
        out=$out:${word:6:2}${word:4:2}:${word:2:2}${word:0:2}
      done
      printf '%s\n' "${out#:}" ;;
  esac
}
"""

# Asks a service over HTTP at the address at which it listens. `asked` limits one request to $5
# seconds and prints the time, the status line and the beginning of the answer.
REQUEST: Final = r"""
request() {
  printf 'GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: guardia\r\nConnection: close\r\n\r\n' "$1" "$2"
}
response() {
  IFS= read -r first || [ -n "$first" ] || return 0
  printf 'answered %s\n%s\n' "$(date +%s%N)" "$first"
  head -c 16384
}
plain() { exec 3<>"/dev/tcp/$1/$2"; request "$3" "$1" >&3; response <&3; }
tls() {
  case $1 in *:*) to="[$1]:$2" ;; *) to=$1:$2 ;; esac
  request "$3" "$1" | openssl s_client -quiet -connect "$to" 2>/dev/null | response
}
export -f request response plain tls
ask() { timeout -k 1 "$5" bash -c '"$@"' probe "$1" "$2" "$3" "$4" 2>/dev/null || true; }
"""

# Runs a control script. Its exit does not say that the service works, and it need not exit at all:
# many scripts follow the log at the end. So this waits until the script has ended and the service
# answers, or until a new process of the service does, for at most $limit seconds, the time that the
# service may take to start. A script that still runs then is ended, but not the service or what
# watches over it. The script's output is read on for as long as the service holds it open: a closed
# pipe would end the service with its first message.
CONTROL: Final = r"""
call_control() { exec "$control" "$1"; }
ancestors() {
  local pid parent
  for pid in $1; do
    while parent=$(ps -o ppid= -p "$pid" | tr -d ' ') && [ "${parent:-1}" -gt 1 ]; do
      [ "$parent" != "$2" ] || break
      printf ' %s' "$parent"
      pid=$parent
    done
  done
}
run_control() {
  local script pid code= before now new status answered=0 absent=0 end keep
  before=" $(service_pids "$root" "$port") "
  exec 4> >({ head -c 4096 || true; } >&2; exec cat >/dev/null 2>&1)
  call_control "$1" </dev/null >&4 2>&1 4>&- &
  script=$!
  exec 4>&-
  end=$((SECONDS + limit))
  while :; do
    if [ -z "$code" ] && ! kill -0 "$script" 2>/dev/null; then
      code=0
      wait "$script" || code=$?
    fi
    new= now=$(service_pids "$root" "$port")
    for pid in $now; do
      case $before in *" $pid "*) ;; *) new="$new $pid" ;; esac
    done
    if [ "${code:-0}" != 0 ] && [ -n "$now" ] && [ -z "$new" ]; then
      sleep 0.2
      exit "$code" # nothing was restarted
    fi
    status=
    if [ -n "$code$new" ] && address=$(listener "$port" "${listen:-}"); then
      status=$(ask "$scheme" "$address" "$port" "$path" 3)
      status=${status#*$'
'HTTP/* }
      status=${status:0:3}
    fi
    case $status in
      200) break ;;
      ''|503|[!0-9]*) answered=0 ;;
      *) answered=$((answered + 1)) ;;
    esac
    if [ -n "$code" ]; then
      # It answers, but not as it should: waiting longer would not help.
      if [ "$answered" -ge 6 ]; then break; fi
      if [ -z "$new" ] && [ -z "$status" ]; then absent=$((absent + 1)); else absent=0; fi
      if [ "$absent" -ge 20 ]; then exit "$code"; fi
    fi
    if [ "$SECONDS" -ge "$end" ]; then
      if [ -z "$code" ]; then echo "$control still runs after $limit seconds" >&2; fi
      break
    fi
    sleep 0.5
  done
  if [ -z "$code" ] && [ "$status" = 200 ] && [ -n "$new" ]; then
    keep=" $(with_children "$new") $(ancestors "$new" "$script") "
    for pid in $(with_children "$script"); do
      case $keep in *" $pid "*) ;; *) kill "$pid" 2>/dev/null || true ;; esac
    done
  fi
}
"""

# A script in /etc/init.d runs as root; `AS_ROOT` comes before this.
ROOT_CONTROL: Final = r"""
call_control() { as_root "$control" "$1"; }
"""

# Runs a verb of systemctl on $unit as root, then waits until the service answers with 200 or is
# known not to. systemd refuses a unit that has reached its start limit, and so does this.
UNIT_CONTROL: Final = r"""
shown() { "$systemctl" show --property="$1" --value -- "$unit"; }
require_unit() {
  if [ "$(shown LoadState)" != loaded ]; then
    echo "unit $unit: $(shown LoadState)" >&2; exit 3
  fi
}
call_unit() {
  local job code=0 end
  # The client of systemd may wait for long; the job itself belongs to systemd.
  as_root "$systemctl" "$1" "$unit" >&2 &
  job=$!
  end=$((SECONDS + limit + 120))
  while kill -0 "$job" 2>/dev/null; do
    if [ "$SECONDS" -ge "$end" ]; then
      echo "systemctl $1 $unit still runs after $((limit + 120)) seconds" >&2; exit 3
    fi
    sleep 0.2
  done
  wait "$job" || code=$?
  if [ "$code" != 0 ]; then
    echo "$unit: $(shown ActiveState) ($(shown Result))" >&2; exit "$code"
  fi
}
await_health() {
  local end status answered=0 address
  end=$((SECONDS + limit))
  while [ "$SECONDS" -lt "$end" ]; do
    if [ "$(shown ActiveState)" = failed ]; then
      echo "$unit: failed ($(shown Result))" >&2; exit 1
    fi
    status=
    if address=$(listener "$port" "$listen"); then
      status=$(ask "$scheme" "$address" "$port" "$path" 3)
      status=${status#*$'
'HTTP/* }
      status=${status:0:3}
    fi
    case $status in
      200) return 0 ;;
      ''|503|[!0-9]*) answered=0 ;;
      *) answered=$((answered + 1)); if [ "$answered" -ge 6 ]; then return 0; fi ;;
    esac
    sleep 0.5
  done
}
"""
