"""Loopback ports that stay the same from one start of a fleet to the next."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path

ADDRESS = "127.0.0.1"
# Below the kernel's range for outgoing connections, which could take a port between two starts.
_FIRST, _COUNT = 20_000, 12_000


class PortAllocator:
    """Allocates ports by name: the same ones for the same folder unless another program has one."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._allocated: set[int] = set()

    def listen(self, name: str) -> socket.socket:
        """Return a listening socket on the port of that name."""
        for port in self._candidates(name):
            found = _try_bind(port)
            if found is not None:
                self._allocated.add(port)
                found.listen(128)
                return found
        raise OSError("no free port")

    def free(self, name: str) -> int:
        """Return the port of that name for another program to listen on."""
        with self.listen(name) as found:
            return int(found.getsockname()[1])

    def _candidates(self, name: str) -> list[int]:
        digest = hashlib.sha256(f"{self._home}\n{name}".encode()).digest()
        start = int.from_bytes(digest[:4], "big")
        ports = (_FIRST + (start + 7 * n) % _COUNT for n in range(500))
        return [port for port in ports if port not in self._allocated]


def _try_bind(port: int) -> socket.socket | None:
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((ADDRESS, port))
    except OSError:
        found.close()
        return None
    return found
