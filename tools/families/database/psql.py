"""Run SQL by `psql` on the server of a database.

With a role in the CMDB (`Service.login`), its password comes from the credential store as standard
input and exists on the server only in the environment of psql. Without one, the entry of the
service's name in the account's `pg_service.conf` and its `.pgpass` hold address and password.
Either way no command line shows a password.
"""

from __future__ import annotations

import json
from typing import Any, Final

from guardia.org.directory import Host, Service
from guardia.tools import target
from guardia.tools.command import Command, Script, StoredSecret
from guardia.tools.target import service_on
from guardia.tools.tool import Findings

KINDS: Final = ("postgresql",)
UTC: Final = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
_READ_ONLY = (
    "set client_encoding = 'UTF8'; set statement_timeout = '10s'; "
    "set default_transaction_read_only = on"
)
_FLAGS = ("-X", "-w", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1")

# A query that needs a part of the database that may be missing is preceded by a question whose
# answer is `t` if it is there; otherwise the other query is sent.
_PSQL = Script(
    "database.psql",
    r"""
psql=$1 service=$2 address=$3 port=$4 database=$5 login=$6 password=$7
settings=$8 question=$9 sql=${10} other=${11}
if [ "$password" = 1 ]; then
  IFS= read -r PGPASSWORD || [ -n "$PGPASSWORD" ]
  export PGPASSWORD
fi
if [ -n "$login" ]; then
  export PGDATABASE=$database PGUSER=$login PGPORT=$port
  if [ -n "$address" ]; then export PGHOST=$address; fi
else
  export PGSERVICE=$service
fi
export PGCONNECT_TIMEOUT=5 PGAPPNAME=guardia
ask() {
  "$psql" -X -w -q -A -t -v ON_ERROR_STOP=1 -c "$settings" -c "$1" </dev/null
}
if [ -n "$question" ] && [ "$(ask "$question")" != t ]; then sql=$other; fi
ask "$sql"
""",
)


def query(
    name: str,
    host: Host,
    sql: str,
    *,
    settings: str = _READ_ONLY,
    question: str = "",
    other: str = "",
) -> Command:
    """Build the command that runs `sql` in the database of a service.

    If there is a `question` and its answer is not `t`, `other` is run instead.
    """
    service = service_on(host, name, KINDS)
    sql = _one_line(sql)
    program = host.facts.program("psql")
    if not service.login and not question:
        connection = f"service={service.name} connect_timeout=5 application_name=guardia"
        return Command.of(program, *_FLAGS, "-d", connection, "-c", settings, "-c", sql)
    password = service.credential if service.login else None
    command = Command.script(
        _PSQL,
        program,
        service.name,
        *_where(service),
        "1" if password else "0",
        settings,
        _one_line(question),
        sql,
        _one_line(other),
    )
    return command.with_input(StoredSecret(password)) if password else command


def _where(service: Service) -> tuple[str, ...]:
    """Return address, port, database and role; all empty without a role."""
    if not service.login:
        return ("", "", "", "")
    return (
        target.address(service),
        str(service.port or 5432),
        target.database(service),
        target.login(service),
    )


def _one_line(sql: str) -> str:
    return " ".join(sql.split())


def read_object(text: str) -> Findings:
    """Read findings from one JSON object."""
    found: Any = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found
