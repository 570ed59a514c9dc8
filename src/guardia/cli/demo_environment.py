"""Everything a demo needs, started and stopped together: database, fleet, board and worker."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from guardia.board.accounts import messenger_links, people
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.organization import chart as organization_chart
from guardia.cli.installation import Installation, migrate, open_installation
from guardia.db import die_with_parent
from guardia.db.private_files import open_private
from guardia.errors import Invalid, Misconfigured
from guardia.i18n import t
from guardia.org import chart, password_rules
from guardia.org.account_policy import AccountPolicy
from guardia.org.credential_store import FileCredentialStore
from guardia.settings import Settings
from guardia.tools.lab.running_fleet import RunningFleet

_ADDRESS = re.compile(r"http://\S+")
_STOP_TIMEOUT = 15
DEMO_REQUESTER = ("u-cus-1", "mattermost", "demo-cus-1")
"""Who posts the demo's request: account on the board, messenger, and their id there."""


@dataclass
class DemoEnvironment:
    """All parts of a demo on one machine."""

    settings: Settings
    console: Console
    address: str = ""
    dsn: str = ""
    messenger_token: str = ""
    password: str = ""
    fleet: RunningFleet = field(init=False)
    board: BoardContext = field(init=False)
    _board: subprocess.Popen[str] = field(init=False)

    @property
    def log(self) -> Path:
        """Log file of the board and the worker."""
        return self.settings.home / "board.log"

    @contextlib.contextmanager
    def opened(self) -> Iterator[DemoEnvironment]:
        """Start all parts; nothing is left running afterwards, even after an error."""
        home = self.settings.home
        home.mkdir(mode=0o711, parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            stack.enter_context(_exclusive(home))
            self._load_secrets()
            self._print_starting("database")
            # Child processes end with the thread that starts them, so all start in this one.
            self.fleet = RunningFleet.spawn(home / "lab")
            stack.callback(self.fleet.stop)
            installation = stack.enter_context(open_installation(self.settings, keep=True))
            self.dsn = installation.app_dsn
            self.board = stack.enter_context(installation.board())
            self._prepare(installation)
            self._print_starting("fleet")
            self._enrol()
            self._print_starting("board")
            self._start_board()
            stack.callback(self._stop_board)
            self._await_board()
            yield self

    def require_alive(self) -> None:
        """Raise `Misconfigured` if the board's process or the fleet has ended on its own."""
        ended = {
            "guardia up": (self._board.poll() is not None, self.log),
            t("lab.fleet"): (not self.fleet.is_alive(), self.fleet.home / "fleet.log"),
        }
        for name, (is_over, log) in ended.items():
            if is_over:
                raise Misconfigured(what=name, why=t("cli.demo.child_died", name=name, log=log))

    def print_accounts(self) -> None:
        """Print the demo's accounts, so that people can sign in."""
        self.console.print(t("cli.demo.accounts", password=self.password), markup=False)
        for person in self.fleet.directory().people:
            role = t(f"org.role.{person.role}")
            words = {"id": person.id, "name": person.name, "title": person.title, "role": role}
            self.console.print("  " + t("cli.demo.account", **words), markup=False)

    def _prepare(self, installation: Installation) -> None:
        migrate(installation)
        path = self.settings.chart or chart.shipped_chart_path()
        organization_chart.apply_chart(self.board, path.read_text("utf-8"), Actor.operator("demo"))

    def _enrol(self) -> None:
        self.fleet.wait_until_ready()
        names = self.fleet.directory()
        FileCredentialStore(self.settings.secrets).put(*self.fleet.credential())
        passwords = {p.id: self.password for p in names.people}
        # People first by the rule of rights: the first ones of an installation are its beginning.
        places = names.model_copy(update={"people": (), "owners": ()})
        organization_chart.import_directory(self.board, places, {})
        people.import_people(self.board, Actor.operator("demo"), names.people, passwords)
        owners = names.model_copy(update={"people": ()})
        organization_chart.import_directory(self.board, owners, {})
        messenger_links.link(self.board, Actor.operator("demo"), *DEMO_REQUESTER)

    def _load_secrets(self) -> None:
        """Load the demo's password and token; created once and reused at every start."""
        keys = FileCredentialStore(self.settings.secrets)
        self.password = keys.get_or_create(
            "demo-password", lambda: password_rules.make_one_time(AccountPolicy())
        )
        self.messenger_token = keys.get_or_create("messenger-token", lambda: secrets.token_hex(16))

    def _start_board(self) -> None:
        environment = {
            **os.environ,
            "GUARDIA_HOME": str(self.settings.home),
            "GUARDIA_PORT": str(_free_port(self.settings)),
            "GUARDIA_MESSENGER_URL": self.fleet.messenger_url,
            "GUARDIA_ALERT_URL": self.fleet.alert_url,
        }
        # The token comes from the store, where no other process can read it.
        environment.pop("GUARDIA_MESSENGER_TOKEN", None)
        program = [sys.executable, "-m", "guardia", "up"]
        with open_private(self.log) as log:
            # If we are killed, the board dies at once; normally it is stopped in order (see below).
            self._board = subprocess.Popen(
                die_with_parent.command(program, signal.SIGKILL, None),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )

    def _await_board(self) -> None:
        assert self._board.stdout is not None
        for line in self._board.stdout:
            found = _ADDRESS.search(line)
            if found:
                self.address = found[0]
                return
        self._board.wait(_STOP_TIMEOUT)
        self.require_alive()

    def _stop_board(self) -> None:
        self._board.terminate()
        try:
            self._board.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._board.kill()
            self._board.wait()

    def _print_starting(self, part: str) -> None:
        self.console.print(t("cli.demo.starting", what=t(f"cli.demo.part.{part}")), style="dim")


@contextlib.contextmanager
def _exclusive(home: Path) -> Iterator[None]:
    """Allow one demo per folder. Raises `Invalid` for a second one."""
    with (home / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Invalid(what="guardia demo", why=t("cli.demo.busy", home=home)) from None
        yield


def _free_port(settings: Settings) -> int:
    """Return the configured port, or 0 (any free one) if it is in use."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError:
            return 0
        return settings.port
