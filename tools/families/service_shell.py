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

# The listening sockets show whether the port is open, not a connection: the queue of a stopped
# process fills up with probes, and then its open port would look closed. Only a socket of all IPv6
# addresses does not show whether it takes IPv4 as well.
LISTENER: Final = r"""
listener() {
  local hex found
  hex=$(printf '%04X' "$1")
  found=$(grep -hsoE "^ *[0-9]+: [0-9A-F]+:$hex [0-9A-F]+:0000 0A " /proc/net/tcp /proc/net/tcp6 |
    while read -r _ socket _; do printf '%s\n' "${socket%:*}"; done | sort -u || true)
  if [ -z "$found" ]; then return 1; fi
  case $found in
    00000000|00000000$'\n'*) echo 127.0.0.1 ;;
    *00000000000000000000000000000000*)
      if takes_ipv4 "$1"; then echo 127.0.0.1; else echo ::1; fi ;;
    *) readable "${found%%$'\n'*}" ;;
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
