"""Shell texts that run on servers: supervise a command, look for what is left of it, end it.

What a command started is found by four ways, because a program may leave any one of them: its
session, its parent, the word `GUARDIA_RUN=<id>` in its environment, and a control group of its own
where the account may make one. A child that called setsid, forked twice or left its session is so
found and ended. What has emptied its environment as well, or belongs to another account, cannot be
distinguished from others with certainty: it is counted as unclear, never as gone.

A command that declares `leaves_children` (it starts a service that outlives it) is ended otherwise:
only the shells of its own session and their `timeout` end, so that its script starts nothing more.
What is no shell or has a session of its own stays, and is counted as kept. Such a command has the
word `GUARDIA_LEFT_BY=<id>` in its environment, by which no later look takes it for a remainder.
"""

from __future__ import annotations

from typing import LiteralString

from guardia.tools.command import Script

_OPENS = frozenset({"then", "do", "else", "{", "(", "in", ";;", "&&", "||", "|", "&"})
"""Words after which a shell expects no end of a command."""


def on_one_line(script: str) -> str:
    """Return a script without line ends and comments.

    Every login shell passes on such a text within single quotes, if it has no quote, no doubled
    backslash, and no exclamation mark that is not before a blank.
    """
    lines = (line.strip() for line in script.splitlines())
    found = ""
    for line in lines:
        if line and not line.startswith("#"):
            joint = " " if not found or found.rsplit(maxsplit=1)[-1] in _OPENS else "; "
            found += joint + line
    return found.strip()


# Sets $a to the processes that are left of session $p, environment word $e and control group $d.
# Every function here also runs under `set -eu`.
_LEFT: LiteralString = r"""
add() {
  for f in "$@"; do
    f=${f#/proc/}
    f=${f%%/*}
    case " $a " in *" $f "*) ;; *) a="$a $f" more=1 ;; esac
  done
}
left() {
  a=
  add $(grep -lsF "$e" /proc/[0-9]*/environ || true)
  if [ -n "$d" ]; then add $(cat "$d/cgroup.procs" 2>/dev/null || true); fi
  family
}
family() {
  more=1
  while [ "$more" = 1 ]; do
    more=0 s=$p
    for f in $a; do s="$s|$f"; done
    add $(grep -lsE "[)] [^ZX] (($s) [0-9]+ [0-9]+|[0-9]+ [0-9]+ $p) " /proc/[0-9]*/stat || true)
  done
  [ -n "$a" ]
}
"""

# Sets $u to the number of processes that may be left but show no sign of it: orphans that started
# after tick $1 and whose environment was emptied or may not be read. An orphan is adopted by one
# of this shell's own ancestors. The audit session, where there is one, passes to all that a login
# starts, whatever its account.
_UNCLEAR: LiteralString = r"""
unclear() {
  since=$1 q=$$ o=1 u=0 mine=
  while [ "$q" -gt 1 ] && { read -r line < "/proc/$q/stat"; } 2>/dev/null; do
    case $line in "$$ "*|*"(sshd"*) ;; *) o="$o|$q" ;; esac
    set -- ${line##*) }
    q=$2
  done
  { read -r mine < /proc/self/sessionid; } 2>/dev/null || true
  for f in $(grep -lsE "[)] [^ZX] ($o) " /proc/[0-9]*/stat || true); do
    q=${f#/proc/}
    q=${q%/stat}
    { read -r line < "$f"; } 2>/dev/null || continue
    case $line in *"(sshd"*) continue ;; esac
    set -- ${line##*) }
    [ "${20:-0}" -ge "$since" ] || continue
    # A process that is just ending has an empty environment too.
    for x in 1 2 3; do
      { read -r line < "$f"; } 2>/dev/null || continue 2
      case ${line##*) } in Z*|X*) continue 2 ;; esac
      if grep -qsF -e HOME= -e PATH= "/proc/$q/environ"; then continue 2; fi
      sleep 0.05
    done
    other=
    { read -r other < "/proc/$q/sessionid"; } 2>/dev/null || true
    case $mine in ""|4294967295|"$other") u=$((u + 1)) ;; esac
  done
}
"""

# For any POSIX sh. $0 tag of the fence guard, $1 id, $2 $3 $4 numbers that give the word of the
# marks, $5 bytes of input to come (base64), $6 seconds, $7 whether it leaves children, $8 command,
# $9 whether that is written for `printf %b`. What comes before the mark of the beginning was
# printed by the login shell. The level keeps each bash of the command from reading .bashrc again,
# as it does below sshd.
# The word of the marks is on no command line and no input, so a server that repeats what it gets
# repeats no mark. The input is read whole before the command starts: half an input starts nothing,
# and a command that never reads it cannot hide the end of the channel. A guarded command waits for
# at least a dot, which is not part of its input. `timeout` bounds the command even if the network
# has silently gone. SIGPIPE is ignored late because the command must not inherit that. Scanning
# every process costs a host some milliseconds, times fifty if all are stopped at once: so the group
# and the children are ended first, and one whole scan usually finds nothing left. The second `wait`
# does not block: the signal that ended the first is repeated.
# Each program that is started here costs a server half a millisecond for every command: so the
# command replaces its shell, and what follows the first `exit` is not even parsed after most.
SUPERVISE: str = on_one_line(
    r"""
id=$1 n=$(($2 ^ $3))x$(($3 ^ $4)) t=$6 v=$7 c=$8 i= k= d= u=0 a= m=
if [ "$9" = 1 ]; then c=$(printf %b "$8"); fi
if [ "$5" -gt 0 ]; then
  printf "\036%s:ready\036" "$n" >&2
  i=$(timeout "$t" head -c "$5") || u=$?
  if [ "$5" -gt 1 ]; then
    command -v base64 >/dev/null || { echo "base64: not found" >&2; u=127 i=; }
  fi
fi
if [ "${#i}" -ne "$5" ]; then
  case $u in
    126|127) printf "\036%s:%s:0:0:0:0\036" "$n" "$u" >&2 ;;
    *) printf "\036%s:1:1:0:0:0\036" "$n" >&2 ;;
  esac
  exit 1
fi
i=${i%.} e=GUARDIA_RUN=$id
printf "\036%s:begin\036" "$n"
exec 3<&0
trap k=1 USR1
if [ "$v" = 1 ]; then
  if timeout --foreground 1 true 2>/dev/null; then m=--foreground; fi
else
  while IFS=: read -r x y z; do
    case $y in
      "") y=/sys/fs/cgroup
        if [ -d "$y/unified" ]; then y=$y/unified; fi ;;
      name=systemd) y=/sys/fs/cgroup/systemd ;;
      *) continue ;;
    esac
    z=$y${z%/}
    if [ -z "$d" ] && [ -w "$z/cgroup.procs" ] && mkdir "$z/guardia-$id"; then
      d=$z/guardia-$id
    fi 2>/dev/null
  done </proc/self/cgroup
fi
begin() {
  if [ "$v" = 1 ]; then export "GUARDIA_LEFT_BY=$id"
  else export "GUARDIA_RUN=$id" "GUARDIA_STEP=$0"; fi
  export SHLVL=2
  if [ -n "$d" ]; then echo 0 > "$d/cgroup.procs"; fi 2>/dev/null
  exec 3<&-
  eval "exec setsid timeout $m -k 3 $t $c"
}
if [ -z "$i" ]; then
  begin </dev/null &
else
  printf %s "$i" | base64 -d | begin &
fi
p=$! i=
trap "" PIPE
( exec >/dev/null 2>&1
  while read -r l; do :; done <&3
  while kill -s USR1 $$; do sleep 0.2; done ) &
w=$! l=
exec 3<&- </dev/null
printf "\036%s:%s\036" "$n" "$p" >&2
wait "$p"
r=$?
finish() {
  # Also groups whose last process ended later; one in use cannot be removed.
  if [ -n "$d" ]; then rmdir "${d%/*}"/guardia-* 2>/dev/null; fi
  printf "\036%s:end\036" "$n"
  printf "\036%s:%s:%s\036" "$n" "$r" "$1" >&2
  exec 2>/dev/null
  kill -s KILL "$w"
  exit 0
}
if [ -z "$k" ]; then finish 0:0:0:0; fi
"""
    + _LEFT
    + _UNCLEAR
    + r"""
shells() {
  a=
  for f in $(grep -lsE "[)] [^ZX] [0-9]+ [0-9]+ $p " /proc/[0-9]*/stat); do
    f=${f#/proc/}
    f=${f%/stat}
    case $(readlink "/proc/$f/exe") in
      */timeout|*/sh|*/bash|*/dash|*/ash|*/ksh*|*/mksh*|*/zsh*|*/busybox*) a="$a $f" ;;
    esac
  done
  [ -n "$a" ]
}
b=0
if [ -n "$d" ]; then [ -d "$d" ] || d=; fi
look=left
if [ "$v" = 1 ]; then
  look=shells
else
  # Before their parents end: orphans are harder to find.
  family
  kill -s TERM -- "-$p" $a
  kill -s CONT -- "-$p" $a
  wait "$p"
fi 2>/dev/null
x=0
while "$look"; do
  if [ "$x" = 0 ]; then kill -s TERM $a; kill -s CONT $a; fi 2>/dev/null
  x=$((x + 1))
  if [ "$x" -ge 10 ]; then
    kill -s KILL $a 2>/dev/null
    if [ -n "$d" ]; then echo 1 > "$d/cgroup.kill"; fi 2>/dev/null
  fi
  [ "$x" -lt 40 ] || break
  sleep 0.05
done
if [ "$v" = 1 ]; then
  for f in $(grep -lsF "GUARDIA_LEFT_BY=$id" /proc/[0-9]*/environ); do b=$((b + 1)); done
elif [ -z "$a$d" ]; then
  # A control group holds all that the command started, so nothing is unclear.
  { read -r l < "/proc/$$/stat"; } 2>/dev/null
  set -- ${l##*) }
  unclear "${20}"
fi
set -- $a
finish "1:$#:$u:$b"
"""
)

# $1 $2 halves of the id, $3 session or 0, $4 seconds since the command was sent. The halves keep
# this script from finding itself.
GONE = Script(
    "guardia.gone",
    _LEFT
    + _UNCLEAR
    + r"""
word="[${1:0:1}]${1:1}$2" e=GUARDIA_RUN=$1$2 p=$3 age=$4
d=$(find /sys/fs/cgroup -maxdepth 6 -name "guardia-$1$2" 2>/dev/null | head -n 1 || true)
if [ "$p" = 0 ]; then p=none; fi
for look in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
  if ! grep -qse "$word" /proc/[0-9]*/cmdline && ! left; then
    read -r line < "/proc/$$/stat"
    set -- ${line##*) }
    unclear $((${20} - (age + 1) * 100))
    printf '0 %s\n' "$u"
    exit 0
  fi
  sleep 0.2
done
left || true
set -- $a
printf '%s 0\n' "$(($# > 0 ? $# : 1))"
""",
)

# $1 $2 halves of the tag. Only the outermost process with the tag gets the signal: the others are
# its children, which its trap ends. Before that trap is set it has started nothing, and the signal
# ends it. What outlives its shell still has the tag in its environment.
TERMINATE = Script(
    "guardia.end",
    _LEFT
    + r"""
word="[${1:0:1}]${1:1}$2" e=GUARDIA_STEP=$1$2 p=none d=
for look in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  found=
  for file in $(grep -lse "$word" /proc/[0-9]*/cmdline || true); do
    pid=${file#/proc/}
    found="$found ${pid%/cmdline} "
  done
  if [ -z "$found" ]; then
    if ! left; then exit 0; fi
    if [ "$look" -lt 5 ]; then kill -s TERM $a; else kill -s KILL $a; fi 2>/dev/null || true
    kill -s CONT $a 2>/dev/null || true
  fi
  for pid in $found; do
    line=
    { read -r line < "/proc/$pid/stat"; } 2>/dev/null || continue
    set -- ${line##*) }
    case $found in *" ${2-} "*) continue ;; esac
    kill -s USR1 "$pid" 2>/dev/null || true
    kill -s CONT "$pid" 2>/dev/null || true
  done
  sleep 0.2
done
exit 1
""",
)
