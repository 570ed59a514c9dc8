"""Client of a fleet: start it or attach to it, send requests, stop it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from guardia.db import process
from guardia.errors import Misconfigured, NotFound
from guardia.i18n import t
from guardia.org.directory import Directory
from guardia.tools.lab import control, fleet_command
from guardia.tools.lab.inventory import Inventory
from guardia.tools.lab.messenger import read_posts
from guardia.tools.lab.oracle import OracleResult

_START_SECONDS = 60.0
_STOP_SECONDS = 20.0
_LOG_LIMIT = 1_000_000


class RunningFleet:
    """The fleet of one folder. It ends with this process if this process has started it."""

    def __init__(self, home: Path, child: subprocess.Popen[bytes] | None = None) -> None:
        self.home = home
        self._child = child
        self._inventory: Inventory | None = None

    @classmethod
    def spawn(cls, home: Path) -> Self:
        """Start the fleet, or attach to a running one; `wait_until_ready` waits for it."""
        home = home.absolute()
        with suppress(NotFound):
            return cls.find(home)
        home.mkdir(mode=0o711, parents=True, exist_ok=True)
        log = home / "fleet.log"
        if log.exists() and log.stat().st_size > _LOG_LIMIT:
            log.unlink()
        # Appended to, because a second start may find that another fleet already writes here.
        with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
            child = process.spawn(
                fleet_command.command(home), signal.SIGTERM, None, file, environment=os.environ
            )
        return cls(home, child)

    @classmethod
    def find(cls, home: Path) -> Self:
        """Attach to the fleet that runs in `home`. Raises `NotFound` if there is none."""
        found = cls(home.absolute())
        found._inventory = Inventory.load(found.home)
        control.ping(found._inventory.control)
        return found

    @property
    def is_owned(self) -> bool:
        """Whether this process has started the fleet."""
        return self._child is not None

    def is_alive(self) -> bool:
        """Return whether the fleet still runs."""
        if self._child is not None:
            return self._child.poll() is None
        with suppress(NotFound):
            control.ping(self.inventory.control)
            return True
        return False

    @property
    def pid(self) -> int | None:
        """The launcher's process id, if this process has started it."""
        return self._child.pid if self._child else None

    def wait_until_ready(self) -> Self:
        """Wait until all servers are up. Raises `Misconfigured` if they do not start."""
        deadline = time.monotonic() + _START_SECONDS
        while self._inventory is None:
            with suppress(NotFound):
                self._adopt(self.find(self.home).inventory)
                break
            self._raise_if_ended()
            if time.monotonic() > deadline:
                self.stop()
                raise Misconfigured(what=t("lab.fleet"), why=t("lab.slow", log=self.home))
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        """Stop the fleet if this process has started it, with every one of its processes."""
        child, self._child = self._child, None
        if child is None:
            return
        child.terminate()
        try:
            child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def __enter__(self) -> Self:
        try:
            return self.wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # --- inventory --------------------------------------------------------------------------

    @property
    def inventory(self) -> Inventory:
        """Servers, addresses and keys."""
        if self._inventory is None:
            self.wait_until_ready()
        assert self._inventory is not None
        return self._inventory

    def directory(self) -> Directory:
        """Return the directory of the practice organization."""
        return self.inventory.directory()

    def credential(self) -> tuple[str, str]:
        """Return name and text of the private key that the servers accept."""
        return self.inventory.credential, self.inventory.key.read_text("ascii")

    @property
    def messenger_url(self) -> str:
        """Incoming webhook of the fleet's messenger; a secret."""
        return self.inventory.message_url

    @property
    def alert_url(self) -> str:
        """Webhook of the alert receiver; a secret."""
        return self.inventory.alert_url

    def posts(self, kind: Literal["message", "alert"]) -> list[dict[str, Any]]:
        """Return the posts to the messenger or the alert receiver, oldest first."""
        found = self.inventory
        return read_posts(found.messages if kind == "message" else found.alerts)

    def was_notified(
        self, sr_id: int, kind: Literal["message", "alert"], within: float = 10.0
    ) -> bool:
        """Return whether a post about that issue exists or arrives within some seconds."""
        deadline = time.monotonic() + within
        while not any(self._issue_id(post) == sr_id for post in self.posts(kind)):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    # --- requests ---------------------------------------------------------------------------

    def fault(self, name: str) -> OracleResult:
        """Inject a fault and wait for its oracle to see it, or raise `Refused`."""
        return OracleResult(**self._request("fault", name))

    def heal(self, name: str = "all") -> None:
        """Heal a fault from outside and wait until its oracle finds the service well."""
        self._request("heal", name)

    def oracle(self, name: str) -> OracleResult:
        """Probe the oracle of a fault once."""
        return OracleResult(**self._request("oracle", name))

    def is_healthy(self, name: str) -> bool:
        """Return whether the oracle finds the service well."""
        return self.oracle(name).good

    def status(self) -> dict[str, Any]:
        """Return the servers with their services and live commands, and all oracles."""
        found: dict[str, Any] = control.send_request(self.inventory.control, do="status")
        return found

    def commands(self, server_id: str) -> list[dict[str, Any]]:
        """Return the live commands on a server, its service not included."""
        servers = {entry["server"]: entry for entry in self.status()["servers"]}
        found: list[dict[str, Any]] = servers[server_id]["commands"]
        return found

    def _request(self, what: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = control.send_request(self.inventory.control, do=what, name=name)
        return found

    @staticmethod
    def _issue_id(post: dict[str, Any]) -> int | None:
        properties = post.get("props")
        return properties.get("sr_id") if isinstance(properties, dict) else None

    def _adopt(self, inventory: Inventory) -> None:
        self._inventory = inventory
        if self._child is not None and self._child.pid != inventory.pid:
            self.stop()  # another fleet was faster, and this one did not start

    def _raise_if_ended(self) -> None:
        ended = self._child.poll() if self._child else None
        if ended is not None and ended != fleet_command.OCCUPIED:
            raise Misconfigured(what=t("lab.fleet"), why=self._log_tail())

    def _log_tail(self) -> str:
        text = (self.home / "fleet.log").read_text("utf-8", errors="replace")
        return " / ".join(text.splitlines()[-3:])[:600]
