"""A board whose audit log is signed and copied, and a superuser who rewrites it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
from board_env import LEAD, BoardEnv
from psycopg.types.json import Jsonb

from guardia.board.approvals import decisions
from guardia.board.audit import log
from guardia.board.audit.chain import ORIGIN, ChainEntry
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.witness_files import WitnessFiles
from guardia.board.core.context import BoardContext
from guardia.board.integrity import verification
from guardia.board.integrity.notary import Notary
from guardia.board.integrity.verification import VerificationResult

TABLES = ("tb_audit_log", "tb_audit_head", "tb_audit_checkpoint", "tb_evidence")


@dataclass
class AuditEnv:
    """A board with a notary, its verifier, and the attacks of a superuser."""

    env: BoardEnv
    board: BoardContext
    witness_files: WitnessFiles
    superuser: str

    def write(self, count: int) -> None:
        """Append `count` entries."""
        for n in range(count):
            with self.board.database.transaction() as session:
                log.append(
                    session,
                    EntryKind.COMMENT,
                    actor="person:lead",
                    now=self.board.clock(),
                    detail={"n": n},
                    text=f"기록 {n}",
                )

    def sign_checkpoint(self) -> int:
        """Sign a checkpoint and return its size."""
        newest = self.board.notary.sign(self.board)
        assert newest is not None
        return newest.size

    def size(self) -> int:
        """Return the number of entries."""
        with self.board.database.reading() as session:
            return log.head(session).size

    def verify(self, *, full: bool = True) -> VerificationResult:
        """Return what the verifier finds."""
        return verification.verify_log(self.board, full=full)

    def attack(self, *statements: str, **values: Any) -> None:
        """Run statements as a superuser who disables every trigger in the meantime."""
        with psycopg.connect(self.superuser) as connection:
            connection.execute("set session_replication_role = replica")
            for table in ("tb_audit_log", "tb_audit_checkpoint"):
                connection.execute(f"alter table {table} disable trigger append_only")
            for statement in statements:
                connection.execute(statement, values or None)
            for table in ("tb_audit_log", "tb_audit_checkpoint"):
                connection.execute(f"alter table {table} enable trigger append_only")

    def links(self) -> list[ChainEntry]:
        """Return all entries."""
        with self.board.database.reading() as session:
            return list(log.entries(session))

    def rewrite(self, links: list[ChainEntry]) -> None:
        """Replace the whole chain by another one with consistent hashes."""
        self.attack("delete from tb_audit_log")
        before = ORIGIN
        for n, link in enumerate(links, start=1):
            forged = replace(link, seq=n, previous_hash=before)
            before = forged.hash()
            self.insert(replace(forged, current_hash=before))
        self.attack(
            "update tb_audit_head set size = %(size)s, head = %(head)s",
            size=len(links),
            head=before,
        )

    def insert(self, link: ChainEntry) -> None:
        """Insert one row unchanged, with its canonical bytes."""
        names = [*link.__slots__, "canonical"]
        self.attack(
            f"insert into tb_audit_log ({', '.join(names)})"
            f" values ({', '.join(f'%({name})s' for name in names)})",
            **{
                **{name: getattr(link, name) for name in link.__slots__},
                "detail": Jsonb(link.detail),
                "canonical": link.stored().canonical,
            },
        )

    def backup(self) -> None:
        """Copy all audit tables."""
        self.attack(*(f"create table kept_{name} as table {name}" for name in TABLES))

    def restore(self) -> None:
        """Restore all audit tables from the backup."""
        statements = []
        for name in TABLES:
            over = "overriding system value" if name == "tb_evidence" else ""
            statements += [f"delete from {name}", f"insert into {name} {over} table kept_{name}"]
        self.attack(*statements)

    def approved(self) -> Any:
        """Return the claim of a task whose plan is approved."""
        claim, _, bound = self.env.create_filed_plan()
        decisions.decide(self.board, LEAD, claim.task_id, approve=True, plan_hash=bound)
        return self.env.claim("db-agent")


def witness_places(folder: Path) -> WitnessFiles:
    """Return the witness files of one host, with a second folder for copies."""
    (folder / "second").mkdir()
    return WitnessFiles(
        folder / "secrets" / "chain-signing-key",
        folder / "verified.json",
        (folder / "checkpoints", folder / "second"),
    )


def open_audit_env(env: BoardEnv, superuser: str, folder: Path) -> AuditEnv:
    """Return the same board with a notary of its own."""
    found = witness_places(folder)
    board = replace(env.board, notary=Notary(found))
    return AuditEnv(BoardEnv(board, env.dsn), board, found, superuser)
