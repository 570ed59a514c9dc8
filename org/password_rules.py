"""Rules for a new password, pure: length, kinds of characters, words that others would guess."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable

from guardia.org.account_policy import AccountPolicy

MAX_LENGTH = 256
_LONGEST_RUN = 2
"""How often one character may be repeated in a row."""
_SHORTEST_WORD = 3
"""Length from which a word about the person may not be part of a password."""
# Without letters and digits that look alike.
_ALPHABETS = ("ABCDEFGHJKLMNPQRSTUVWXYZ", "abcdefghijkmnopqrstuvwxyz", "23456789", "-_.+=")


def find_fault(
    policy: AccountPolicy, password: str, words: Iterable[str] = ()
) -> tuple[str, dict[str, int]] | None:
    """Return why a password is refused, as a key of texts with its numbers, or `None`.

    `words` are about the person: id, name, institution.
    """
    if len(password) < policy.password_length:
        return "short", {"least": policy.password_length}
    if len(password) > MAX_LENGTH:
        return "long", {"most": MAX_LENGTH}
    if count_classes(password) < policy.password_classes:
        return "classes", {"least": policy.password_classes}
    if re.search(rf"(.)\1{{{_LONGEST_RUN},}}", password):
        return "repeated", {"most": _LONGEST_RUN}
    lowered = password.casefold()
    named = (word.casefold() for word in words)
    if any(len(word) >= _SHORTEST_WORD and word in lowered for word in named):
        return "personal", {}
    return None


def count_classes(password: str) -> int:
    """Count the kinds of characters: letters of any script, digits, and everything else."""
    found = {
        "letter" if c.isalpha() else "digit" if c.isdigit() else "other"
        for c in password
        if c.isprintable()
    }
    return len(found)


def make_one_time(policy: AccountPolicy) -> str:
    """Return a random password for the first sign-in, which satisfies every policy."""
    length = max(14, policy.password_length)
    while True:
        made = "".join(secrets.choice("".join(_ALPHABETS)) for _ in range(length))
        if all(any(c in alphabet for c in made) for alphabet in _ALPHABETS) and not find_fault(
            policy, made
        ):
            return made
