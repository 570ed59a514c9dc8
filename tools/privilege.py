"""Run parts of a script with root's rights: by sudo, by the site's own program, or as root.

A privileged script begins with `AS_ROOT` and calls `as_root PROGRAM ARGUMENT...`, with the full
path of the program, so that the line in sudoers can be exact. A password arrives as the first line
of standard input and is never an argument.
"""

from __future__ import annotations

import re
from typing import Final

from guardia.errors import CommandFailed, Refused
from guardia.i18n import t
from guardia.org.directory import Host
from guardia.tools.command import Argument, Command, Script, StoredSecret
from guardia.tools.output import ExitReason, Output

# The program gets no input, whatever sudo reads. The password is written only once sudo asks with
# our own prompt: a program that needs none (NOPASSWD, or a rule that remembers) never gets it, and
# no other question is answered with it. The first line starts sudo, so that it cannot end before
# its descriptors are copied. Once the program runs, the input is closed: it may wait for its end. A
# second prompt meets that end as well: one attempt, no more.
AS_ROOT: Final = r"""
elevate=$1
shift
PATH=$PATH:/usr/local/bin
if [ "$elevate" = password ]; then IFS= read -r root_password; fi
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@" </dev/null; return; fi
  case $elevate in
    none) "$@" </dev/null ;;
    sudo) sudo -n -- "$@" </dev/null ;;
    password) answer_sudo "$@" ;;
    *) "$elevate" "$@" </dev/null ;;
  esac
}
answer_sudo() {
  local shown from to pid said other='' looks=0 status=0
  exec {shown}>&1
  coproc ROOT { read -r; exec sudo -S -p $'\001' -- "$@" 2>&1 >&"$shown" {shown}>&-; }
  pid=$ROOT_PID
  exec {from}<&"${ROOT[0]}" {to}>&"${ROOT[1]}" {shown}>&-
  eval "exec ${ROOT[0]}<&- ${ROOT[1]}>&-"
  tell_sudo ''
  while true; do
    status=0
    IFS= read -r -d $'\001' -t 0.5 -u "$from" said || status=$?
    printf %s "$said" >&2
    if [ "$status" = 0 ]; then
      tell_sudo "$root_password"
    fi
    if [ "$status" -le 128 ]; then break; fi
    looks=$((looks + 1))
    case $said in *[!$'\n']) other=1; break ;; esac
    if sudo_runs_program; then break; fi
  done
  exec {to}>&-
  tr -d '\001' <&"$from" >&2
  exec {from}<&-
  status=0
  wait "$pid" || status=$?
  if [ "$status" != 0 ] && [ -n "$other" ]; then printf '\nsudo: has got no password\n' >&2; fi
  return "$status"
}
tell_sudo() { ( trap '' PIPE; printf '%s\n' "$1" >&"$to" ) 2>/dev/null || true; }
sudo_runs_program() {
  local line
  { read -r line < "/proc/$pid/stat"; } 2>/dev/null || return 0
  case $line in
    "$pid (sudo) "*) grep -qsE "\\) [^ZX] $pid " /proc/[0-9]*/stat ;;
    "$pid (bash) "*) [ "$looks" -gt 1 ] ;;
  esac
}
"""

_UNTOLD = "sudo: has got no password"
"""What `AS_ROOT` says after sudo where sudo has not asked for the password."""
_NO_PASSWORD = r"\d+ incorrect|no password was provided|maximum \d+ incorrect|Authentication failed"
_REFUSALS = {
    "broken": r"sudoers:\d.*syntax error|sudo: .*(no valid sudoers|effective uid|setuid|owned by)",
    "tty": r"sudo: .*must have a tty",
    "not_allowed": r"not in the sudoers file|is not allowed to (execute|run)|may not run sudo",
    "account": r"sudo: .*(account validation failure|account (or password )?(is|has) expired)",
    "missing": r"\bsudo: (command )?not found",
    "password_needed": r"sudo: (a password is required|interactive authentication|.*no askpass)",
    "other_question": rf"sudo: ({_NO_PASSWORD})[^$]*{_UNTOLD}",
    "refused": rf"sudo: ({_NO_PASSWORD})",
}
"""What sudo says, in the C locale, where it did not run the program; keys of `tools.privilege`."""


def privileged_script(host: Host, script: Script, /, *arguments: Argument) -> Command:
    """Build the command of a script that begins with `AS_ROOT`.

    Raises `Refused` if sudo asks for a password and none is named.
    """
    command = Command.script(script, host.login.elevate, *arguments)
    if host.login.elevate != "password":
        return command
    if not host.login.sudo_credential:
        raise Refused(why=t("tools.privilege.no_password", server=host.server_id))
    return command.with_input(StoredSecret(host.login.sudo_credential))


def is_privileged(command: Command) -> bool:
    """Return whether a command is a script that begins with `AS_ROOT`."""
    return any(AS_ROOT in word for stage in command.stages for word in stage.argv)


def find_refusal(output: Output) -> str | None:
    """Return why sudo did not run a program, as a key below `tools.privilege`, or `None`."""
    if output.exit_reason is not ExitReason.EXITED or output.exit == 0:
        return None
    said = output.stderr
    return next((key for key, text in _REFUSALS.items() if re.search(text, said)), None)


def require_rights(tool: str, host: Host, output: Output) -> None:
    """Raise `CommandFailed` with what to do if a command failed because it got no rights."""
    key = find_refusal(output)
    if key is None:
        return
    question = re.split("sudo: ", output.stderr)[0].strip()[-80:]
    facts = {"server": host.server_id, "account": host.account, "question": question}
    raise CommandFailed(tool=tool, exit=output.exit, output=t(f"tools.privilege.{key}", **facts))
