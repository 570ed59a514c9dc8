"""Run a program that ends when its parent process ends, even by SIGKILL.

`python -I -S die_with_parent.py STARTER SIGNAL ACCOUNT PROGRAM [ARGUMENT...]` becomes PROGRAM, and
the kernel sends it SIGNAL when the process STARTER (our parent) is gone. ACCOUNT is `-` to keep the
current account, or `UID:GID`. Standard library only and importable without GUARDiA, because it runs
before anything else is reachable.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def command(program: list[str], signal_number: int, account: tuple[int, int] | None) -> list[str]:
    """Return the argument list that runs `program` tied to the calling process.

    The kernel ties it to the calling *thread*, so start it from a thread that lives long enough.
    """
    who = "-" if account is None else f"{account[0]}:{account[1]}"
    launcher = [sys.executable, "-I", "-S", os.path.abspath(__file__)]
    return [*launcher, str(os.getpid()), str(int(signal_number)), who, *program]


def main(arguments: list[str]) -> None:
    """Switch account, tie to the parent, check that it is still there, and become the program."""
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
