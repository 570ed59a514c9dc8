"""OpenSSH's own client with a password, as a person or an attacker uses it."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path

from guardia.tools.lab.machines.faults.base import MachineTarget

PASSWORD_VARIABLE = "GUARDIA_LAB_PASSWORD"
_SECONDS = 20.0
_OPTIONS = (
    "StrictHostKeyChecking=no",
    "UserKnownHostsFile=/dev/null",
    "PreferredAuthentications=password",
    "NumberOfPasswordPrompts=1",
    "ConnectTimeout=10",
    "LogLevel=ERROR",
)


def write_askpass(path: Path) -> None:
    """Write the program that the client asks for the password."""
    path.write_text(f'#!/bin/sh\nprintf "%s\\n" "${PASSWORD_VARIABLE}"\n', "ascii")
    path.chmod(0o700)


async def sign_in(
    target: MachineTarget, account: str, password: str, source: str | None = None
) -> tuple[bool, str]:
    """Try to sign in. Returns whether it worked, and what the client said."""
    spec = target.spec
    options = [word for option in _OPTIONS for word in ("-o", option)]
    bind = ["-b", source] if source else []
    child = await asyncio.create_subprocess_exec(
        "ssh", "-F", "none", *options, *bind,
        "-p", str(spec.ports["ssh"]), f"{account}@{spec.address}", "true",
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "SSH_ASKPASS": str(target.askpass),
            "SSH_ASKPASS_REQUIRE": "force",
            PASSWORD_VARIABLE: password,
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
