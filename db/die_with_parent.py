"""Run a program that ends when its starter ends, however that ends.

``python -I -S lifeline.py STARTER SIGNAL ACCOUNT PROGRAM [ARGUMENT...]``: becomes PROGRAM with
the kernel's promise to send it SIGNAL when the process STARTER (our parent) is gone. ACCOUNT is
``-`` to stay who we are, or ``UID:GID``. Standard library only and importable without GUARDiA,
because it runs before anything else is reachable.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def command(program: list[str], signal_number: int, account: tuple[int, int] | None) -> list[str]:
    """The argument list that runs ``program`` tied to the calling process.

    The kernel ties it to the calling *thread*: start it from one that lives long enough.
    """
    who = "-" if account is None else f"{account[0]}:{account[1]}"
    launcher = [sys.executable, "-I", "-S", os.path.abspath(__file__)]
    return [*launcher, str(os.getpid()), str(int(signal_number)), who, *program]


def main(arguments: list[str]) -> None:
    """Drop to the account, tie, make sure that the starter is still there, become the program."""
    starter, number, who, *program = arguments
    library = ctypes.CDLL(None, use_errno=True)
    if who != "-":
        uid, gid = (int(part) for part in who.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # Changing the account clears the tie, so it comes after.
    if library.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != int(starter):
        raise SystemExit("the starter is gone")
    os.execv(program[0], program)


if __name__ == "__main__":
    main(sys.argv[1:])
