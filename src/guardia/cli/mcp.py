"""`guardia mcp`: the board's agent API for a chat model, over stdio."""

from __future__ import annotations

import asyncio
import os

from guardia.errors import Misconfigured
from guardia.i18n import t


def mcp() -> None:
    """Serve the task that the environment names; only workers start this."""
    api, token = os.environ.get("GUARDIA_API"), os.environ.get("GUARDIA_TOKEN")
    if not api or not token:
        raise Misconfigured(what="GUARDIA_API, GUARDIA_TOKEN", why=t("cli.mcp.needs"))
    try:
        from guardia.agents.adapters import mcp_server
    except ModuleNotFoundError as error:
        raise Misconfigured(what="guardia[mcp]", why=t("cli.mcp.extra")) from error
    asyncio.run(mcp_server.serve(api, token))
