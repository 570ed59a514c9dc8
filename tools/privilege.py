"""Run parts of a script with root's rights: by sudo, by the site's own program, or as root.

A privileged script begins with `AS_ROOT` and calls `as_root PROGRAM ARGUMENT...`, with the full
path of the program, so that the line in sudoers can be exact. A password arrives as the first line
of standard input and is never an argument.
"""

from __future__ import annotations

from typing import Final

from guardia.errors import Refused
from guardia.i18n import t
from guardia.org.directory import Host
from guardia.tools.command import Argument, Command, Script, StoredSecret

AS_ROOT: Final = r"""
elevate=$1
shift
if [ "$elevate" = password ]; then IFS= read -r root_password; fi
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@" </dev/null; return; fi
  case $elevate in
    none) "$@" </dev/null ;;
    sudo) sudo -n -- "$@" </dev/null ;;
    password) printf '%s\n' "$root_password" | sudo -S -k -p '' -- "$@" ;;
    *) "$elevate" "$@" </dev/null ;;
  esac
}
"""


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
