"""Lock wait in PostgreSQL."""

from __future__ import annotations

from guardia.tools.lab.machines.faults.lock_wait import LockWait


class PostgresLock(LockWait):
    """A batch of PostgreSQL's is idle in its transaction."""

    name = "postgres-lock"
    needs = "postgresql"
    client = "runuser -u postgres -- psql -X -q -t -v ON_ERROR_STOP=1 minwon"
    limit = "set lock_timeout = 2000;"
    count_waiting = "select count(*) from pg_locks where not granted;"
