"""Faults of the machines: one file per fault, listed in `registry.MACHINE_FAULTS`.

Each fault is real, and its oracle looks at the machine from outside of the product: as a client of
its services, or as root past SSH. To add one: a file here, a line in the registry, its text.
"""
