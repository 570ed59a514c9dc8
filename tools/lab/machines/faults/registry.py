"""Registry of the machines' faults."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from guardia.tools.lab.machines.faults.base import MachineFault
from guardia.tools.lab.machines.faults.brute_force import BruteForce
from guardia.tools.lab.machines.faults.deleted_open import DeletedOpen
from guardia.tools.lab.machines.faults.expired_certificate import ExpiredCertificate
from guardia.tools.lab.machines.faults.journal_flood import JournalFlood
from guardia.tools.lab.machines.faults.locked_account import LockedAccount
from guardia.tools.lab.machines.faults.mariadb_lock import MariadbLock
from guardia.tools.lab.machines.faults.no_inodes import NoInodes
from guardia.tools.lab.machines.faults.postgres_lock import PostgresLock
from guardia.tools.lab.machines.faults.start_limit import StartLimit
from guardia.tools.lab.machines.faults.timer_off import TimerOff
from guardia.tools.lab.machines.faults.was_hung import WasHung
from guardia.tools.lab.machines.faults.was_leak import WasLeak
from guardia.tools.lab.machines.faults.was_stopped import WasStopped
from guardia.tools.lab.machines.faults.web_config import WebConfig

_FAULTS: tuple[type[MachineFault], ...] = (
    StartLimit,
    JournalFlood,
    NoInodes,
    DeletedOpen,
    WasStopped,
    WasHung,
    WasLeak,
    WebConfig,
    ExpiredCertificate,
    LockedAccount,
    TimerOff,
    BruteForce,
    PostgresLock,
    MariadbLock,
)

MACHINE_FAULTS: Mapping[str, type[MachineFault]] = MappingProxyType(
    {fault.name: fault for fault in _FAULTS}
)
"""All faults by name, in the order in which they are listed."""
