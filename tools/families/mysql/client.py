"""Run SQL by the client of MySQL or MariaDB on the server of a database.

The password comes from the credential store as standard input and reaches the client in an option
file that is only a pipe. Without a role in the CMDB, the account's own `.my.cnf` applies.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from guardia.org.directory import Host, Service
from guardia.tools import target
from guardia.tools.command import Argument, Command, Script, StoredSecret
from guardia.tools.target import service_on

KINDS: Final = ("mysql",)
PROGRAMS: Final = ("mysql|mariadb",)

# `ask` prints one line a row: columns divided by tabs, with \t, \n and \\ as escapes. `family`
# prints where the locks are: MySQL has them in performance_schema since version 8.
CLIENT: Final = r"""
client=$1 address=$2 port=$3 database=$4 login=$5 password=$6
shift 6
if ! command -v -- "$client" >/dev/null; then client=mariadb; fi
if [ "$password" = 1 ]; then
  IFS= read -r secret || [ -n "$secret" ]
  secret=${secret//\\/\\\\} secret=${secret//\"/\\\"}
fi
words=(--batch --skip-column-names --connect-timeout=5 --default-character-set=utf8mb4)
if [ -n "$login" ]; then
  words+=("--user=$login")
  case $address in
    '') ;;
    /*) words+=("--socket=$address") ;;
    *) words+=(--protocol=tcp "--host=$address" "--port=$port") ;;
  esac
  if [ -n "$database" ]; then words+=("--database=$database"); fi
fi
ask() {
  if [ "$password" = 1 ]; then
    "$client" --defaults-extra-file=<(printf '[client]\npassword="%s"\n' "$secret") "${words[@]}" \
      -e "$1" </dev/null
  else
    "$client" "${words[@]}" -e "$1" </dev/null
  fi
}
family() {
  local version
  version=$(ask 'select version()')
  case $version in
    *MariaDB*|5.*) echo information ;;
    *) echo performance ;;
  esac
}
"""

_ASK = Script(
    "mysql.ask",
    CLIENT
    + r"""
ask "$1"
""",
)


def query(name: str, host: Host, sql: str) -> Command:
    """Build the command that runs `sql` on a service and prints its rows."""
    return run(_ASK, name, host, " ".join(sql.split()))


def run(script: Script, name: str, host: Host, /, *arguments: Argument) -> Command:
    """Build the command of a script that begins with `CLIENT`."""
    service = service_on(host, name, KINDS)
    password = service.credential if service.login else None
    command = Command.script(
        script, host.facts.program("mysql"), *_where(service), "1" if password else "0", *arguments
    )
    return command.with_input(StoredSecret(password)) if password else command


def _where(service: Service) -> tuple[str, ...]:
    """Return address, port, database and role; all empty without a role."""
    if not service.login:
        return ("", "", "", "")
    database = target.database(service) if service.database else ""
    port = str(service.port or 3306)
    return (target.address(service), port, database, target.login(service))


_ESCAPES = {"t": "\t", "n": "\n", "0": "\0", "\\": "\\"}


def rows(text: str, columns: int) -> Iterator[list[str | None]]:
    """Yield the rows of an answer; `NULL` is `None`."""
    for line in text.split("\n"):
        if not line:
            continue
        cells = line.split("\t")
        if len(cells) != columns:
            raise ValueError(f"{len(cells)} columns instead of {columns}")
        yield [None if cell == "NULL" else _unescaped(cell) for cell in cells]


def _unescaped(cell: str) -> str:
    parts = iter(cell)
    return "".join(_ESCAPES.get(c := next(parts, ""), c) if p == "\\" else p for p in parts)


def number(cell: str | None) -> int | None:
    """Return a cell as a whole number that is not negative."""
    return None if cell is None else max(0, int(float(cell)))


def text(cell: str | None, most: int = 200) -> str | None:
    """Return a cell as text of one line."""
    return None if cell is None else " ".join(cell.split())[:most]
