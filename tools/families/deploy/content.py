"""What all deployments share: an uploaded content, its place, and root's rights to put it there."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from guardia.org.directory import Host
from guardia.tools.command import Upload
from guardia.tools.tool import ServiceArgs

Digest = Annotated[str, StringConstraints(max_length=64, pattern=r"^[0-9a-f]{64}$")]
Replaced = Annotated[str, StringConstraints(max_length=64, pattern=r"^([0-9a-f]{64})?$")]
"""Digest of what is replaced; empty: nothing is there."""
Size = Annotated[int, Field(ge=1, le=2**40)]

TRANSFER_TIMEOUT = 1800.0
"""Seconds for checking and placing a content that has arrived."""


class ContentArgs(ServiceArgs):
    """An uploaded content by its digest."""

    sha256: Digest
    size: Size

    @property
    def upload(self) -> Upload:
        """What must be on the server before the command starts."""
        return Upload(self.sha256, self.size)


def program(host: Host, name: str) -> str:
    """Return the full path of a program, as sudoers must name it."""
    found = host.facts.program(name)
    return found if found.startswith("/") else f"/usr/bin/{name}"


def home(host: Host) -> str:
    """Return the account's home, below which contents arrive."""
    return "/root" if host.account == "root" else f"/home/{host.account}"


# $part is where the content arrived and $want its digest. `placed FILE` moves it to a name without
# a digest, so that the lines of sudoers that name it stay the same.
ARRIVED: Final = r"""
fail() { echo "$1" >&2; exit 3; }
require_arrived() {
  [ -f "$part" ] || fail "the content has not arrived"
  [ "$(sha256 < "$part")" = "$want" ] || fail "the content has another digest"
}
placed() {
  mv -f -- "$part" "$1"
  # It is read with root's rights or by a service, and no other account can reach the folder.
  chmod 644 -- "$1"
}
sync_file() { sync -- "$1" 2>/dev/null || sync; }
"""

# `act PROGRAM ...` runs as the account where it may write in $folder, and with root's rights where
# it may not. It comes after AS_ROOT.
ACT: Final = r"""
act() { if [ -w "$folder" ]; then "$@" </dev/null; else as_root "$@"; fi; }
"""
