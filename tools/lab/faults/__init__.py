"""Faults of the practice fleet: one file per fault, listed in `registry.FAULTS`.

Each fault is real, and its oracle checks the service itself, knowing nothing of GUARDiA's board or
of its claims. To add a fault: one file here, one line in the registry, its text below `lab.fault`.
"""
