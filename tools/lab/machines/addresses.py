"""Loopback addresses of the machines: one each, reserved as long as its fleet runs."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress

from guardia.errors import Refused
from guardia.i18n import t

FIRST = "127.0.1.10"
_LAST = 250
_RESERVED_PORT = 9
_OFFSETS = (0, 8_000, 16_000, 24_000)
"""Added to every port until all are free: the host itself may listen on all its addresses."""


class AddressPool:
    """Takes free addresses in order. A bound socket reserves each until this process ends."""

    def __init__(self, first: str = FIRST) -> None:
        self._candidates = _following(first)
        self._reservations: list[socket.socket] = []

    def take(self) -> str:
        """Return the next address that no other fleet uses. Raises `Refused` after the last."""
        for address in self._candidates:
            reservation = socket.socket()
            with suppress(OSError):
                reservation.bind((address, _RESERVED_PORT))
                self._reservations.append(reservation)
                return address
            reservation.close()
        raise Refused(why=t("lab.machines.no_address"))


def _following(first: str) -> Iterator[str]:
    network, _, last = first.rpartition(".")
    return iter([f"{network}.{number}" for number in range(int(last), _LAST + 1)])


def choose_ports(address: str, usual: Mapping[str, int]) -> Mapping[str, int]:
    """Return the usual ports, or the same number higher each where the host occupies one."""
    for offset in _OFFSETS:
        ports = {name: port + offset for name, port in usual.items()}
        if all(_is_free(address, port) for port in ports.values()):
            return ports
    raise Refused(why=t("lab.machines.no_port", address=address))


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True
