"""Refused passwords: remembered, because repeating one locks the account."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from guardia.errors import Unreachable
from guardia.org.directory import Host
from guardia.tools.command import Command, StoredSecret
from guardia.tools.output import Output
from guardia.tools.privilege import find_refusal
from guardia.tools.transport.breaker import CircuitBreaker
from guardia.tools.transport.connect import unreachable
from guardia.tools.transport.sign_in import SecretStore, SignIn
from guardia.tools.transport.way import Way, way_to

_REFUSED_FOR = 900.0
"""Seconds until a refused password is tried again, and then twice as long: an account is locked
after some failures within a quarter of an hour."""
_REFUSED_AT_MOST = 86_400.0
_REFUSED_SECRETS = frozenset({"refused_password", "refused_further", "expired_password"})


class RefusedSecrets:
    """Which secret was refused where; thread-safe."""

    def __init__(self, secrets: SecretStore) -> None:
        self._secrets = secrets
        self._refusals: CircuitBreaker[tuple[Way, bytes]] = CircuitBreaker(
            first=_REFUSED_FOR, longest=_REFUSED_AT_MOST, remembers=_is_refused_secret
        )

    def signing_in(self, host: Host, sign_in: SignIn) -> AbstractContextManager[None]:
        """Sign in within the block. Raises `Unreachable` if the secret is known to be wrong."""
        return self._refusals.asking((way_to(host), sign_in.digest))

    @contextmanager
    def sudo(self, host: Host, command: Command) -> Iterator[list[Output | None]]:
        """Run a command within the block; remember if sudo refused the password that it sent.

        Raises `Unreachable` if that password is known to be wrong.
        """
        name = host.login.sudo_credential
        if not name or StoredSecret(name) not in command.stdin:
            yield []
            return
        key = way_to(host), hashlib.sha256(self._secrets.get(name).encode()).digest()
        outputs = list[Output | None]()
        self._refusals.enter(key)
        try:
            yield outputs
        finally:
            self._learn(host, key, outputs[-1] if outputs else None)

    def _learn(self, host: Host, key: tuple[Way, bytes], output: Output | None) -> None:
        if output and find_refusal(output) == "refused":
            why = unreachable(host, "refused_sudo", {"account": host.account})
            self._refusals.record(key, why)
        elif output:
            self._refusals.forget(key)
        else:
            self._refusals.give_back(key)


def _is_refused_secret(error: Unreachable) -> bool:
    return error.detail.get("reason") in _REFUSED_SECRETS
