"""Host keys from a file of known hosts, as `ssh` keeps it; hashed names are found too."""

from __future__ import annotations

from pathlib import Path

import paramiko

from guardia.errors import Invalid
from guardia.i18n import t
from guardia.org import host_key


def key_of(file: Path, address: str, port: int) -> str:
    """Return the key of a server in a file of known hosts. Raises `Invalid` if it has none."""
    known = paramiko.HostKeys()
    try:
        known.load(str(file))
    except (OSError, UnicodeDecodeError, paramiko.SSHException) as error:
        raise Invalid(what=str(file), why=t("cli.server.known_hosts_unreadable")) from error
    names = [f"[{address}]:{port}"] + ([address] if port == 22 else [])
    for name in names:
        found = known.lookup(name)
        for kind in host_key.TYPES:
            if found is not None and (key := found.get(kind)) is not None:
                return host_key.normalized(f"{kind} {key.get_base64()}")
    raise Invalid(what=f"{address}:{port}", why=t("cli.server.not_known", file=file))
