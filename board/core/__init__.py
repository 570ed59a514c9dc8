"""Core of the board: issues, tasks, their lifecycle, claims and wakes."""
