"""`tied.py SERVER PROGRAM...`: tie PROGRAM to the life of the process SERVER.

Waits until SERVER has adopted this process, then runs PROGRAM, which the kernel kills when SERVER
ends. Only used if the fleet has no process namespace. Standard library only.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time

PR_SET_PDEATHSIG = 1


def main(server: int, program: list[str]) -> None:
    """Wait for the adoption, then run the program.

    The control script that started this process ends at once, so the adoption is near.
    """
    deadline = time.monotonic() + 2.0
    while os.getppid() != server:
        if time.monotonic() > deadline:
            raise SystemExit("not adopted by its server")
        time.sleep(0.002)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != server:
        raise SystemExit("its server is gone")
    os.execv(program[0], program)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
