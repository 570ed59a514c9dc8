"""Inventory of a running fleet, and the directory of its fictional organization."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML

from guardia.db.private_files import replace_file
from guardia.errors import Misconfigured, NotFound
from guardia.i18n import t
from guardia.org.directory import Directory, Host

FILE_NAME = "inventory.json"


class Inventory(BaseModel):
    """Written when the fleet is ready, removed when it ends in order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int
    """The launcher's process id, as seen by its starter."""
    hosts: tuple[Host, ...]
    credential: str
    """The name by which the hosts refer to the private key."""
    key: Path
    """The private key (0600)."""
    message_url: str
    """The incoming webhook of the messenger's channel."""
    alert_url: str
    messages: Path
    """JSON lines of what was posted into the channel."""
    alerts: Path
    control: Path
    """The Unix socket for faults and their oracles."""
    volumes: bool
    """Whether the kernel mounted a small volume, which one fault needs."""
    isolated: bool
    """Whether the fleet has its own process namespace."""

    @classmethod
    def load(cls, home: Path) -> Inventory:
        """Load the inventory of the fleet in `home`. Raises `NotFound` if there is none."""
        try:
            return cls.model_validate_json((home / FILE_NAME).read_bytes())
        except FileNotFoundError:
            raise NotFound(what=t("lab.fleet")) from None
        except ValidationError as error:
            raise Misconfigured(what=str(home / FILE_NAME), why=t("db.embedded.damaged")) from error

    def save(self, home: Path) -> None:
        """Write the inventory atomically."""
        replace_file(home / FILE_NAME, self.model_dump_json(indent=1).encode("utf-8"))

    def host(self, server_id: str) -> Host:
        """Return one server. Raises `NotFound` if the fleet has none of that name."""
        found = next((host for host in self.hosts if host.server_id == server_id), None)
        if found is None:
            raise NotFound(what=server_id)
        return found

    def directory(self) -> Directory:
        """Return the directory with the servers as they can be reached now."""
        return sample_directory().model_copy(update={"servers": self.hosts})


@cache
def sample_directory() -> Directory:
    """Return the directory of the fictional organization; its servers have no addresses."""
    text = Path(__file__).with_name("directory.yaml").read_text("utf-8")
    return Directory.model_validate(YAML(typ="safe", pure=True).load(text))
