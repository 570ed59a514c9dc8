"""Shell functions that find the processes of a service, shared by the scripts of all families."""

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
