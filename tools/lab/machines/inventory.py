"""Inventory of a running fleet of machines: how to reach each, and nothing that enrols it."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from guardia.db.private_files import replace_file
from guardia.errors import Misconfigured, NotFound
from guardia.i18n import t

FILE_NAME = "inventory.json"


class MachineEntry(BaseModel):
    """One machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    role: str
    image: str
    address: str
    ports: dict[str, int]
    host_key: str
    """Its public host key, `ssh-ed25519 AAAA...`."""
    fingerprint: str
    """The same key as people compare it, `SHA256:...`."""


class MachineInventory(BaseModel):
    """Written when all machines are ready, removed when they end."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int
    """The launcher's process id."""
    account: str
    key: Path
    """The private key (0600) that the account of every machine accepts."""
    password: str
    """The account's password, for sign-in and sudo with passwords."""
    control: Path
    """The Unix socket for faults and their oracles."""
    machines: tuple[MachineEntry, ...]

    @classmethod
    def load(cls, home: Path) -> MachineInventory:
        """Load the inventory of the machines in `home`. Raises `NotFound` if there are none."""
        try:
            return cls.model_validate_json((home / FILE_NAME).read_bytes())
        except FileNotFoundError:
            raise NotFound(what=t("lab.machines.fleet")) from None
        except ValidationError as error:
            raise Misconfigured(what=str(home / FILE_NAME), why=t("db.embedded.damaged")) from error

    def save(self, home: Path) -> None:
        """Write the inventory atomically."""
        replace_file(home / FILE_NAME, self.model_dump_json(indent=1).encode("utf-8"))

    def machine(self, name: str) -> MachineEntry:
        """Return one machine. Raises `NotFound` if there is none of that name."""
        found = next((entry for entry in self.machines if entry.name == name), None)
        if found is None:
            raise NotFound(what=name)
        return found
