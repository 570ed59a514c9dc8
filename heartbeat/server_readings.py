"""Carry out the reads of servers that pages ask for, as the person who asked."""

from __future__ import annotations

import logging
from typing import Any

from guardia.board.cmdb import readings, servers
from guardia.board.cmdb.readings import Reading
from guardia.board.core.context import BoardContext
from guardia.board.core.kill_switch import active_kill_switch
from guardia.db.engine import OUTAGE_ERRORS
from guardia.errors import Forbidden, GuardiaError, Refused
from guardia.i18n import t
from guardia.org import host_key
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.tools.enrolment import checks, probe
from guardia.tools.gate import Gate
from guardia.tools.transport import host_key_scan

log = logging.getLogger(__name__)


def carry_out(board: BoardContext, gate: Gate, reading_id: int) -> None:
    """Carry out one reading; what goes wrong is its result, except that the database is away."""
    reading = readings.begin(board, reading_id)
    if reading is None:
        return
    try:
        result = _read(board, gate, reading)
    except OUTAGE_ERRORS:
        raise  # the job is repeated
    except GuardiaError as error:
        readings.end(board, reading_id, why=str(error))
    except Exception:
        log.exception("reading %s of server %s failed", reading_id, reading.server_id)
        readings.end(board, reading_id, why=t("cmdb.reading.unexpected"))
    else:
        readings.end(board, reading_id, result=result)


def _read(board: BoardContext, gate: Gate, reading: Reading) -> dict[str, Any]:
    by = reading.by
    if by is None:
        raise Forbidden(who="-", action=readings.INSPECT)
    if reading.what == "key":
        return _scan(board, by, reading)
    if reading.what == "check":
        found = checks.check(gate, by, reading.host)
        return {"tools": [one.as_plain() for one in found]}
    report = probe.probe(gate, by, reading.host, board.clock())
    if reading.registered:
        servers.record_facts(board, by, reading.server_id, report.facts)
    return report.as_result()


def _scan(board: BoardContext, by: PersonInfo, reading: Reading) -> dict[str, Any]:
    require_permission(by, readings.INSPECT, institution=reading.host.institution)
    if active_kill_switch(board) is not None:
        raise Refused(why=t("board.switch_on"))
    key = host_key_scan.scan(reading.host)
    return {"key": key, "type": key.split()[0], "fingerprint": host_key.fingerprint(key)}
