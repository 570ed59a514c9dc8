"""How oracles check a service: from outside, with code of their own."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from guardia.tools.lab.ports import ADDRESS


@dataclass(frozen=True)
class OracleResult:
    """Whether the service is well, with the evidence."""

    good: bool
    evidence: dict[str, Any] = field(default_factory=dict)


async def probe_health(port: int | None) -> OracleResult:
    """Check the health report of an application server."""
    status, report = await http_get(port or 0, "/health")
    evidence = {"status": status, "version": report.get("version")}
    return OracleResult(status == 200, evidence)


async def http_get(
    port: int, path: str, seconds: float = 2.0, address: str = ADDRESS
) -> tuple[int | None, dict[str, Any]]:
    """Return status and JSON body of a GET on loopback; `(None, {})` without a timely response."""
    writer = None
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(address, port)
            writer.write(f"GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n".encode("ascii"))
            head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
            return int(head.split()[1]), _json(body)
    except (OSError, ValueError, IndexError):
        return None, {}
    finally:
        if writer is not None:
            writer.close()


def _json(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
