"""How the oracles look at a service: from outside, with means of their own."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from guardia.tools.lab.ports import ADDRESS


@dataclass(frozen=True)
class OracleResult:
    """Whether the service is well, and what was seen."""

    good: bool
    evidence: dict[str, Any] = field(default_factory=dict)


async def http_get(port: int, path: str, seconds: float = 2.0) -> tuple[int | None, dict[str, Any]]:
    """Status and JSON body of a GET on loopback; ``(None, {})`` without an answer in time."""
    writer = None
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(ADDRESS, port)
            writer.write(f"GET {path} HTTP/1.0\r\nHost: {ADDRESS}\r\n\r\n".encode("ascii"))
            head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
            return int(head.split()[1]), _json(body)
    except (OSError, ValueError, IndexError):
        return None, {}
    finally:
        if writer is not None:
            writer.close()


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
