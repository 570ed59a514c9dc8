"""Databases of vendors whose clients cannot be had for tests: SQL and parsers as data.

A client is a program that reads statements from standard input, after a line that connects. The
password comes from the credential store and passes through the shell's own `printf`, so it is on no
command line. Each answer is one line a row with columns divided by `|`; texts come last and lose
their own bars. Everything here follows the vendors' manuals and is labelled so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from guardia.errors import Refused
from guardia.i18n import t
from guardia.org.directory import Host
from guardia.tools import target
from guardia.tools.command import Command, Script, StoredSecret
from guardia.tools.output import Output, require_success
from guardia.tools.target import service_on
from guardia.tools.tool import Findings

# `$` and quotes in the password reach the client as they are: it is quoted for the client, and a
# password with a double quote cannot be.
_VENDOR = Script(
    "vendor.sql",
    r"""
client=$1 login=$2 where=$3 settings=$4 sql=$5
shift 5
IFS= read -r password || [ -n "$password" ]
case $password in *'"'*) echo "a password with a double quote cannot be sent" >&2; exit 3 ;; esac
if ! command -v -- "$client" >/dev/null; then echo "$client is not installed" >&2; exit 3; fi
{ printf 'connect %s/"%s"%s\n' "$login" "$password" "$where"
  printf '%s\n%s\nexit\n' "$settings" "$sql"
} | "$client" "$@"
""",
)

_SQL_PLUS_SETTINGS: Final = (
    "whenever oserror exit 9\nwhenever sqlerror exit 8\n"
    "set heading off feedback off pagesize 0 linesize 1000 trimspool on trimout on tab off verify"
    " off define off sqlblanklines on"
)
_TBSQL_SETTINGS: Final = (
    "whenever sqlerror exit 8\n"
    "set heading off\nset feedback off\nset pagesize 0\nset linesize 1000\nset trimout on"
)


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor's client, how it connects, and where that is written."""

    kind: str
    program: str
    options: tuple[str, ...]
    settings: str
    port: int
    error: str
    """How the line of an error begins."""
    manual: str


ORACLE: Final = Vendor(
    kind="oracle",
    program="sqlplus",
    options=("-S", "-L", "/nolog"),
    settings=_SQL_PLUS_SETTINGS,
    port=1521,
    error="ORA-",
    manual="Oracle Database Administrator's Guide 11g (B28310), Terminating Sessions; "
    "Oracle Database Reference (E40402), V$SESSION, V$SESSION_BLOCKERS",
)
TIBERO: Final = Vendor(
    kind="tibero",
    program="tbsql",
    options=("-s",),
    settings=_TBSQL_SETTINGS,
    port=8629,
    error="TBR-",
    manual="Tibero 6 tbSQL 안내서; Tibero 6 참조 안내서, V$SESSION, V$WAITER_SESSION",
)


def query(vendor: Vendor, name: str, host: Host, sql: str) -> Command:
    """Build the command that runs `sql` in the database of a service."""
    service = service_on(host, name, (vendor.kind,))
    if not service.login or not service.credential:
        raise Refused(why=t("tools.target.lacks", service=service.name, what="login"))
    return Command.script(
        _VENDOR,
        host.facts.program(vendor.program),
        target.login(service),
        _where(vendor, target.address(service), service.port, target.database(service)),
        vendor.settings,
        " ".join(sql.split()).rstrip(";") + ";",
        *vendor.options,
    ).with_input(StoredSecret(service.credential))


def _where(vendor: Vendor, address: str, port: int | None, database: str) -> str:
    """Return what follows the password: an easy connect name, or an alias of `tbdsn.tbr`."""
    if vendor is TIBERO:
        return f"@{database}"
    return f"@//{address or 'localhost'}:{port or vendor.port}/{database}"


def rows(text: str, columns: int) -> Iterator[list[str]]:
    """Yield the rows of an answer. Lines of the client itself are left out."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|", columns - 1)]
        if len(cells) == columns:
            yield cells


def parser(
    vendor: Vendor, name: str, reader: Callable[[str], Findings]
) -> Callable[[Output], Findings]:
    """Build a `parse` function. A client may print an error and exit with 0 all the same."""

    def parse(output: Output) -> Findings:
        text = require_success(name, output)
        wrong = next((n for n in text.splitlines() if n.lstrip().startswith(vendor.error)), None)
        if wrong is not None:
            require_success(name, Output(1, wrong, "", output.seconds))
        return reader(text)

    return parse


def number(cell: str) -> int | None:
    """Return a cell as a whole number that is not negative."""
    return max(0, int(float(cell))) if cell else None
