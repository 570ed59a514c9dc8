"""GUARDiA: a virtual organization of AI agents that runs servers under a human board."""

__version__ = "0.1.0"
