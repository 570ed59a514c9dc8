"""The database of this installation: the embedded one, or a configured external one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from guardia.org.account_policy import AccountPolicy
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.audit.witness_files import WitnessFiles
    from guardia.board.core.context import BoardContext
    from guardia.board.core.local_stop import LocalStop
    from guardia.db.embedded import Cluster
    from guardia.org.credential_store import CredentialStore


@dataclass(frozen=True, slots=True)
class Installation:
    """DSNs of both roles, and where the keys are."""

    app_dsn: str
    owner_dsn: str | None
    """`None` if the owner role of an external database is not configured on this host."""
    keys: CredentialStore
    """Store of the key that signs people's decisions."""
    witness_files: WitnessFiles
    """Copies of the audit checkpoints outside the database."""
    local_stop: LocalStop | None = None
    """The emergency stop of this host's workers."""
    clock_limit: float = 5.0
    """Seconds by which this host's clock may be off."""
    accounts: AccountPolicy = field(default_factory=AccountPolicy)
    """What it demands of accounts."""
    owns_database: bool = False
    """Whether this process started the database, which then ends with it."""
    report_dsn: str | None = None
    """DSN of the role that reads views; `None` with an external database."""

    @contextmanager
    def board(self, *, signing: bool = True) -> Iterator[BoardContext]:
        """Open the board over a small pool, closed at the end of the block.

        Without `signing` it needs no key.
        """
        from guardia.board.audit.signing import DecisionSigner
        from guardia.board.core.context import BoardContext
        from guardia.board.core.keyless import keyless_context
        from guardia.board.integrity.notary import Notary
        from guardia.db import revision
        from guardia.db.clock import DatabaseClock
        from guardia.db.engine import Database
        from guardia.tools.catalog_planner import CatalogPlanner

        database = Database(self.app_dsn, pool_size=4)
        clock = DatabaseClock(self.app_dsn, self.clock_limit)
        try:
            revision.require_known(revision.current(self.app_dsn))
            if not signing:
                yield keyless_context(database, self.local_stop, clock)
                return
            yield BoardContext(
                database,
                decision_signer=DecisionSigner.from_store(self.keys),
                notary=Notary(self.witness_files),
                planner=CatalogPlanner(),
                clock=clock,
                local_stop=self.local_stop,
                accounts=self.accounts,
            )
        finally:
            clock.close()
            database.close()


def embedded_cluster(settings: Settings) -> Cluster:
    """Return the embedded PostgreSQL of this installation, not started."""
    from guardia.db.embedded import Cluster

    return Cluster(settings.postgres)


@contextmanager
def open_installation(settings: Settings, *, keep: bool = False) -> Iterator[Installation]:
    """Open the database; start the embedded one if necessary and stop it afterwards.

    With `keep`, the embedded one is started again whenever it ends during the block.
    """
    from guardia.board.audit.witness_files import WitnessFiles
    from guardia.board.core.local_stop import LocalStop
    from guardia.org.credential_store import FileCredentialStore

    keys, witness_files = FileCredentialStore(settings.secrets), WitnessFiles.of(settings)
    local_stop, accounts = LocalStop.of(settings), AccountPolicy.of(settings)
    if settings.dsn is not None:
        owner = settings.owner_dsn
        yield Installation(
            settings.dsn.get_secret_value(),
            owner.get_secret_value() if owner else None,
            keys,
            witness_files,
            local_stop,
            settings.clock_limit,
            accounts,
        )
        return
    from guardia.db.embedded import APPLICATION_ROLE, OWNER_ROLE, REPORTING_ROLE
    from guardia.db.keeper import ClusterKeeper

    server = embedded_cluster(settings)
    with ClusterKeeper(server, local_stop.reserve) if keep else server:
        server.create_roles()
        yield Installation(
            server.dsn(APPLICATION_ROLE),
            server.dsn(OWNER_ROLE),
            keys,
            witness_files,
            local_stop,
            settings.clock_limit,
            accounts,
            owns_database=server.owned,
            report_dsn=server.dsn(REPORTING_ROLE),
        )


def migrate(installation: Installation) -> None:
    """Migrate the tables to this version; nothing to do if up to date or without the owner role."""
    from guardia.db import migrate as migration
    from guardia.db import revision

    dsn = installation.owner_dsn or installation.app_dsn
    found = revision.current(dsn)
    revision.require_known(found)
    if installation.owner_dsn is None or found == migration.head():
        return
    from guardia.agents import checkpoints

    checkpoints.setup(installation.owner_dsn)
    migration.upgrade(installation.owner_dsn)
