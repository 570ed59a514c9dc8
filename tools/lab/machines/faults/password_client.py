"""OpenSSH's own client with a password, as a person or an attacker uses it."""

from __future__ import annotations

import asyncio
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from guardia.tools.lab.machines.spec import MachineSpec

_SECONDS = 20.0
_OPTIONS = (
    "StrictHostKeyChecking=no",
    "UserKnownHostsFile=/dev/null",
    "PreferredAuthentications=password",
    "NumberOfPasswordPrompts=1",
    "ConnectTimeout=10",
    "LogLevel=ERROR",
)


async def sign_in(
    spec: MachineSpec, account: str, password: str, source: str | None = None
) -> tuple[bool, str]:
    """Try to sign in. Returns whether it worked, and what the client said."""
    options = [word for option in _OPTIONS for word in ("-o", option)]
    bind = ["-b", source] if source else []
    with tempfile.TemporaryDirectory(prefix="guardia-askpass-") as folder:
        answer = Path(folder) / "answer"
        answer.write_text('#!/bin/sh\nprintf "%s\\n" "$GUARDIA_LAB_PASSWORD"\n', "ascii")
        answer.chmod(0o700)
        child = await asyncio.create_subprocess_exec(
            "ssh", "-F", "none", *options, *bind,
            "-p", str(spec.ports["ssh"]), f"{account}@{spec.address}", "true",
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "SSH_ASKPASS": str(answer),
                "SSH_ASKPASS_REQUIRE": "force",
                "GUARDIA_LAB_PASSWORD": password,
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        try:
            async with asyncio.timeout(_SECONDS):
                _, said = await child.communicate()
        except TimeoutError:
            return False, "no answer"
        finally:
            with suppress(ProcessLookupError):
                child.kill()
    return child.returncode == 0, said.decode("utf-8", "replace").strip().rpartition("\n")[2]
