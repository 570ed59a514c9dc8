"""Servers of the practice fleet and the service on each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Release:
    """One version of an application; a broken one starts, but its health check fails."""

    version: str
    broken: bool = False


@dataclass(frozen=True)
class ServiceSpec:
    """A service. Its first release is the current one.

    `volume` is the size in MB of a separate file system for the logs; `app` prefixes the database
    roles of the workload.
    """

    name: str
    kind: str
    title: str = ""
    releases: tuple[Release, ...] = ()
    volume: int | None = None
    app: str = ""

    @property
    def is_program(self) -> bool:
        """Whether a control script starts it (the databases are started by their server)."""
        return self.kind != "postgresql"

    @property
    def listens(self) -> bool:
        """Whether it has a port."""
        return self.kind != "authlog"


_BUDGET = ServiceSpec(
    "budget", "http", "예산집행 시스템", (Release("3.1.0"), Release("3.1.1", broken=True))
)

SERVERS: dict[str, ServiceSpec] = {
    "MOF-WAS-01": _BUDGET,
    "MOF-WAS-02": _BUDGET,
    "MOF-DB-01": ServiceSpec("budgetdb", "postgresql", app="budget"),
    "MOE-WEB-01": ServiceSpec("homepage", "tls", "교육부 홈페이지", (Release("5.0.2"),)),
    "MOE-DB-01": ServiceSpec("edudb", "postgresql", app="edu"),
    "MOIS-WAS-01": ServiceSpec("minwon", "http", "민원 시스템", (Release("2.4.0"),), volume=24),
    "MOIS-SEC-01": ServiceSpec("auth", "authlog", "인증 기록", (Release("1.0.0"),)),
}
