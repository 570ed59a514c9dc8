"""The database of this installation: the embedded one, or the external one that is configured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.audit.witness_files import WitnessFiles
    from guardia.board.core.context import BoardContext
    from guardia.db.embedded import Cluster
    from guardia.org.credential_store import CredentialStore


@dataclass(frozen=True, slots=True)
class Installation:
    """How the two roles reach the database."""

    app_dsn: str
    owner_dsn: str | None
    """``None`` for an external database whose owner is not told to this host."""
    keys: CredentialStore
    """Where the key lies that signs people's decisions."""
    witness_files: WitnessFiles
    """Where the record is witnessed outside the database."""
    owns_database: bool = False
    """Whether this process has started the database, which then ends with it."""

    @contextmanager
    def board(self, *, signing: bool = True) -> Iterator[BoardContext]:
        """The desk over a small pool, closed afterwards; without ``signing`` it needs no key."""
        from guardia.board.audit.signing import DecisionSigner
        from guardia.board.core.context import BoardContext
        from guardia.board.core.keyless import keyless_context
        from guardia.board.integrity.notary import Notary
        from guardia.db.engine import Database
        from guardia.tools.catalog_planner import CatalogPlanner

        database = Database(self.app_dsn, pool_size=4)
        try:
            if not signing:
                yield keyless_context(database)
                return
            yield BoardContext(
                database,
                decision_signer=DecisionSigner.from_store(self.keys),
                notary=Notary(self.witness_files),
                planner=CatalogPlanner(),
            )
        finally:
            database.close()


def embedded_cluster(settings: Settings) -> Cluster:
    """The embedded PostgreSQL of this installation, not started."""
    from guardia.db.embedded import Cluster

    return Cluster(settings.home / "postgres")


@contextmanager
def open_installation(settings: Settings) -> Iterator[Installation]:
    """The database, started where it is embedded and not running, and stopped again by us."""
    from guardia.board.audit.witness_files import WitnessFiles
    from guardia.org.credential_store import FileCredentialStore

    keys, witness_files = FileCredentialStore(settings.secrets), WitnessFiles.of(settings)
    if settings.dsn is not None:
        owner = settings.owner_dsn
        yield Installation(
            settings.dsn.get_secret_value(),
            owner.get_secret_value() if owner else None,
            keys,
            witness_files,
        )
        return
    from guardia.db.embedded import APPLICATION_ROLE, OWNER_ROLE

    server = embedded_cluster(settings)
    with server:
        server.create_roles()
        yield Installation(
            server.dsn(APPLICATION_ROLE),
            server.dsn(OWNER_ROLE),
            keys,
            witness_files,
            owns_database=server.owned,
        )


def migrate(installation: Installation) -> None:
    """Bring the tables to this version; does nothing where they are, or without the owner."""
    from guardia.db import migrate as migration

    if installation.owner_dsn is None or migration.current(installation.owner_dsn) == (
        migration.head()
    ):
        return
    from guardia.agents import checkpoints

    checkpoints.setup(installation.owner_dsn)
    migration.upgrade(installation.owner_dsn)
