"""A board whose record is signed and copied out, and a superuser who rewrites it."""

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
    """A desk with a notary, what its verifier says, and the attacker's hands."""

    env: BoardEnv
    board: BoardContext
    witness_files: WitnessFiles
    superuser: str

    def write(self, count: int) -> None:
        """So many entries more."""
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
        """Sign; the size of the newest checkpoint."""
        newest = self.board.notary.sign(self.board)
        assert newest is not None
        return newest.size

    def size(self) -> int:
        """Entries so far."""
        with self.board.database.reading() as session:
            return log.head(session).size

    def verify(self, *, full: bool = True) -> VerificationResult:
        """What the verifier finds."""
        return verification.verify_log(self.board, full=full)

    def attack(self, *statements: str, **values: Any) -> None:
        """As a superuser who switches every trigger off, and on again."""
        with psycopg.connect(self.superuser) as connection:
            connection.execute("set session_replication_role = replica")
            for table in ("tb_audit_log", "tb_audit_checkpoint"):
                connection.execute(f"alter table {table} disable trigger append_only")
            for statement in statements:
                connection.execute(statement, values or None)
            for table in ("tb_audit_log", "tb_audit_checkpoint"):
                connection.execute(f"alter table {table} enable trigger append_only")

    def links(self) -> list[ChainEntry]:
        """All entries."""
        with self.board.database.reading() as session:
            return list(log.entries(session))

    def rewrite(self, links: list[ChainEntry]) -> None:
        """Put a whole other chain in the place of this one, with all hashes made anew."""
        self.attack("delete from tb_audit_log")
        before = ORIGIN
        for n, link in enumerate(links, start=1):
            fresh = replace(link, seq=n, previous_hash=before)
            before = fresh.hash()
            self.insert(replace(fresh, current_hash=before))
        self.attack(
            "update tb_audit_head set size = %(size)s, head = %(head)s",
            size=len(links),
            head=before,
        )

    def insert(self, link: ChainEntry) -> None:
        """One row as it is."""
        names = list(link.__slots__)
        self.attack(
            f"insert into tb_audit_log ({', '.join(names)})"
            f" values ({', '.join(f'%({name})s' for name in names)})",
            **{**{name: getattr(link, name) for name in names}, "detail": Jsonb(link.detail)},
        )

    def backup(self) -> None:
        """Keep everything as it is now."""
        self.attack(*(f"create table kept_{name} as table {name}" for name in TABLES))

    def restore(self) -> None:
        """Put everything back to the backup."""
        statements = []
        for name in TABLES:
            over = "overriding system value" if name == "tb_evidence" else ""
            statements += [f"delete from {name}", f"insert into {name} {over} table kept_{name}"]
        self.attack(*statements)

    def approved(self) -> Any:
        """A hold on a task whose plan is approved."""
        held, _, bound = self.env.create_filed_plan()
        decisions.decide(self.board, LEAD, held.task_id, approve=True, plan_hash=bound)
        return self.env.claim("db-agent")


def witness_places(folder: Path) -> WitnessFiles:
    """Files of one host, with a second place for copies."""
    (folder / "second").mkdir()
    return WitnessFiles(
        folder / "secrets" / "chain-signing-key",
        folder / "verified.json",
        (folder / "checkpoints", folder / "second"),
    )


def open_audit_env(env: BoardEnv, superuser: str, folder: Path) -> AuditEnv:
    """The cast's board with a notary of its own."""
    found = witness_places(folder)
    board = replace(env.board, notary=Notary(found))
    return AuditEnv(BoardEnv(board, env.dsn), board, found, superuser)
