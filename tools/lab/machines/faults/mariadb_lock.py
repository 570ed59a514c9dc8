"""Lock wait in MariaDB."""

from __future__ import annotations

from guardia.tools.lab.machines.faults.lock_wait import LockWait


class MariadbLock(LockWait):
    """A batch of MariaDB's is idle in its transaction."""

    name = "mariadb-lock"
    needs = "mariadb"
    client = "mariadb --skip-column-names minwon"
    limit = "set innodb_lock_wait_timeout = 2;"
    count_waiting = "select count(*) from information_schema.innodb_lock_waits;"
