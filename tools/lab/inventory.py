"""What a running fleet tells about itself, and the names of its invented organization."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from ruamel.yaml import YAML

from guardia.errors import NotFound
from guardia.i18n import t
from guardia.org.directory import Directory, Host

FILE_NAME = "inventory.json"


class Inventory(BaseModel):
    """Written when the fleet is ready, removed when it ends in order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int
    """The fleet's first process, as its starter sees it."""
    hosts: tuple[Host, ...]
    credential: str
    """The name under which the hosts know the private key."""
    key: Path
    """The private key (0600)."""
    message_url: str
    """The room's incoming webhook."""
    alert_url: str
    messages: Path
    """JSON lines of what was posted into the room."""
    alerts: Path
    control: Path
    """The Unix socket for faults and their oracles."""
    volumes: bool
    """Whether the kernel gave a small volume of its own, which one fault needs."""
    isolated: bool
    """Whether the fleet has a process namespace of its own."""

    @classmethod
    def load(cls, home: Path) -> Inventory:
        """The inventory of the fleet in ``home``; ``NotFound`` where none has been up."""
        try:
            return cls.model_validate_json((home / FILE_NAME).read_bytes())
        except FileNotFoundError:
            raise NotFound(what=t("lab.fleet")) from None

    def save(self, home: Path) -> None:
        """Write it in one step."""
        descriptor, name = tempfile.mkstemp(dir=home, prefix=f".{FILE_NAME}.")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(self.model_dump_json(indent=1))
        Path(name).replace(home / FILE_NAME)

    def host(self, server_id: str) -> Host:
        """One server; ``NotFound`` where the fleet has none of that name."""
        found = next((host for host in self.hosts if host.server_id == server_id), None)
        if found is None:
            raise NotFound(what=server_id)
        return found

    def directory(self) -> Directory:
        """All names, with the servers as they can be reached now."""
        return sample_directory().model_copy(update={"servers": self.hosts})


@cache
def sample_directory() -> Directory:
    """The invented organization; its servers without addresses."""
    text = Path(__file__).with_name("directory.yaml").read_text("utf-8")
    return Directory.model_validate(YAML(typ="safe", pure=True).load(text))
