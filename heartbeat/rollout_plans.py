"""Make the plans of rollouts that pages ask for, as the person who asked."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from guardia.board.artifacts import view as artifacts
from guardia.board.cmdb import view as cmdb
from guardia.board.core.context import BoardContext
from guardia.board.core.plan import ToolCall
from guardia.board.rollouts import requests
from guardia.board.rollouts.drafts import ServerPlan
from guardia.board.rollouts.requests import Asked
from guardia.db.engine import OUTAGE_ERRORS
from guardia.errors import GuardiaError
from guardia.i18n import t
from guardia.org.directory import PersonInfo
from guardia.tools.deployment import Content, Deployment, HealthGate
from guardia.tools.fronts import plan_with_fronts
from guardia.tools.gate import Gate

log = logging.getLogger(__name__)

_AT_A_TIME = 8
"""Servers that are read at a time."""


def carry_out(board: BoardContext, gate: Gate, number: int) -> None:
    """Plan every server of a rollout; one that cannot be planned is left out with the reason."""
    asked = requests.asked(board, number)
    if asked is None:
        return
    by = asked.by
    if by is None:
        requests.settle(board, number, (), {"-": t("cmdb.reading.unexpected")})
        return
    with ThreadPoolExecutor(_AT_A_TIME, "plan") as threads:
        work = partial(_plan, board, gate, asked, by)
        found = list(threads.map(work, asked.request.targets))
    plans = [one for one in found if isinstance(one, ServerPlan)]
    left_out = {
        server: one
        for (server, _), one in zip(asked.request.targets, found, strict=True)
        if isinstance(one, str)
    }
    running = _running(board, gate, by, asked, plans[0]) if plans else None
    requests.settle(board, number, plans, left_out, running)


def _plan(
    board: BoardContext, gate: Gate, asked: Asked, by: PersonInfo, target: tuple[str, str]
) -> ServerPlan | str:
    """Return the plan of one server, or why it has none."""
    server, service = target
    artifact, terms = asked.artifact, asked.request.health
    content = Content(
        artifact.name, artifact.version, artifact.file_name, artifact.sha256, artifact.size
    )
    health = HealthGate(terms.seconds, terms.failed_percent, terms.milliseconds, terms.body)
    wanted = Deployment(
        content, service, partial(_find, board), asked.request.file, asked.request.package, health
    )
    try:
        host = cmdb.server(board, server)
        read = partial(gate.inspect, by, host)
        return plan_with_fronts(host, wanted, read, partial(cmdb.server, board))
    except OUTAGE_ERRORS:
        raise  # the job is repeated
    except GuardiaError as error:
        return str(error)
    except Exception:
        log.exception("server %s cannot be planned", server)
        return t("cmdb.reading.unexpected")


def _find(board: BoardContext, name: str, version: str) -> Content | None:
    one = artifacts.find_artifact(board, name, version)
    return Content(one.name, one.version, one.file_name, one.sha256, one.size) if one else None


def _running(
    board: BoardContext, gate: Gate, by: PersonInfo, asked: Asked, first: ServerPlan
) -> dict[str, Any] | None:
    """Read the files that the first server runs, or `None` if they cannot be read."""
    args: dict[str, Any] = {"service": first.service}
    host = cmdb.server(board, first.plan.server)
    if host.service(first.service).layout == "webapps":
        args["file"] = asked.request.file or asked.artifact.file_name
    try:
        return gate.inspect(by, host, ToolCall(tool="deploy.files", args=args))
    except OUTAGE_ERRORS:
        raise
    except GuardiaError as error:
        log.info("the files of %s are not compared: %s", host.server_id, error)
        return None
