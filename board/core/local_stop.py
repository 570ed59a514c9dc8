"""Emergency stop of one host that needs neither database nor network.

An order to stop is kept in a file of the installation's folder and given to every worker process
on this host over its control socket. The file has its full size from the beginning, so that writing
it needs no room on the disk. While an order is in it, no remote command starts on this host. It is
settled once the board's kill switch has been turned on for it: from then on the board decides, and
only a person can release it.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from guardia.board.core.actors import Actor
from guardia.board.core.stop_sockets import HostStopped, call_workers
from guardia.db.private_files import locked
from guardia.db.reserve import DiskReserve
from guardia.text import MAX_REASON, trim

if TYPE_CHECKING:
    from guardia.settings import Settings

_MOST = 8
"""Orders that the file has room for. All of them mean the same, so not every one must be kept."""
_SIZE = 192 * 1024
"""Room for them, where every character is written as `\\u1234\\u1234`."""
_LABEL = 200


@dataclass(frozen=True, slots=True)
class StopOrder:
    """Who pressed the stop, and when according to this host's clock."""

    by: str
    label: str
    reason: str = ""
    room: str = ""
    account: str = ""
    pressed_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat())
    order_id: str = field(default_factory=lambda: secrets.token_hex(16))
    """The board turns its switch on at most once for it."""

    @classmethod
    def of(cls, by: Actor, reason: str = "", *, room: str = "", account: str = "") -> StopOrder:
        """Return a new order of an actor, with bounded texts."""
        texts = {"reason": trim(reason, MAX_REASON), "room": room[:_LABEL]}
        return cls(str(by)[:_LABEL], by.label[:_LABEL], account=account[:_LABEL], **texts)

    @property
    def actor(self) -> Actor:
        """The actor with the name that was shown when the stop was pressed."""
        found = Actor.parse(self.by) or _LOCAL
        return Actor(found.kind, found.id, self.label or found.label)


_LOCAL = Actor.operator("local")
DAMAGED = StopOrder(str(_LOCAL), _LOCAL.label, pressed_at="", order_id="damaged")
"""Order of a file that cannot be read: it stops, because it may contain one."""


class LocalStop:
    """The stop of one installation's folder on this host."""

    def __init__(self, home: Path, reserve: DiskReserve | None = None) -> None:
        self.folder = home / "stop"
        self.reserve = reserve
        """Room on the database's disk that is freed so that the stop can be recorded."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the stop of an installation; the reserve is that of the embedded PostgreSQL."""
        reserve = DiskReserve(settings.postgres) if settings.dsn is None else None
        return cls(settings.home, reserve)

    @property
    def _file(self) -> Path:
        return self.folder / "orders"

    def prepare(self) -> None:
        """Create the folder and the file, with its full size on the disk."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            if not self._file.is_file() or self._file.stat().st_size < _SIZE:
                self._write(self._read())

    def press(self, order: StopOrder) -> HostStopped:
        """Stop every worker process on this host now, and keep the order for the board.

        Never raises because of a disk: what could not be kept is in the result.
        """
        kept = self._keep(order)
        return call_workers(self.folder, json.dumps(asdict(order)), kept=kept)

    def is_pressed(self) -> bool:
        """Return whether an order waits to be written to the board."""
        return bool(self.pending())

    def pending(self) -> list[StopOrder]:
        """Return the orders that the board does not know of yet, oldest first."""
        found = self._read()
        if found != [DAMAGED]:
            return found
        try:
            with self._locked():  # perhaps another process was just writing
                return self._read()
        except OSError:
            return found

    def settle(self, orders: list[StopOrder]) -> None:
        """Remove orders that the board knows of."""
        if not self._file.exists():
            return
        done = {order.order_id for order in orders}
        with self._locked():
            self._write([o for o in self._read() if o.order_id not in done])

    def _keep(self, order: StopOrder) -> bool:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._locked():
                found = [o for o in self._read() if o.order_id != order.order_id]
                self._write([*found[: _MOST - 1], order])
        except OSError:
            return False
        return True

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with locked(self.folder / "orders.lock"):
            yield

    def _read(self) -> list[StopOrder]:
        try:
            text = self._file.read_bytes().rstrip()
        except FileNotFoundError:
            return []
        except OSError:
            return [DAMAGED]
        try:
            return parse_orders(text.decode("utf-8"))
        except (ValueError, TypeError, RecursionError):
            return [DAMAGED]

    def _write(self, orders: list[StopOrder]) -> None:
        """Overwrite the file in place: a new file would need room on the disk."""
        data = json.dumps([asdict(order) for order in orders]).encode().ljust(_SIZE)
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(descriptor, data, 0)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def parse_orders(text: str) -> list[StopOrder]:
    """Return the orders of a JSON list. Raises `ValueError` or `TypeError` if it is none."""
    found = json.loads(text) if text else []
    if not isinstance(found, list):
        raise ValueError(text[:50])
    orders = [StopOrder(**order) for order in found]
    if not all(isinstance(value, str) for order in orders for value in asdict(order).values()):
        raise ValueError(text[:50])
    return orders
